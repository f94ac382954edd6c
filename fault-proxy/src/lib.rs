//! A fault proxy that speaks Toxiproxy's HTTP API, and the one async client for that API.
//!
//! ```text
//! HTTP request -> server (routes, Go-like JSON) -> engine (proxies, connections, links) -> sockets
//!                                                     ^ toxic: what one fault does to one link
//! client -> HTTP -> this server, or a real Toxiproxy: the client cannot tell them apart
//! ```
//!
//! [`server::serve`] runs the API on a listener of the caller's and owns every socket and task it
//! starts; [`client::Client`] drives it, or a real Toxiproxy 2.x, and confirms every change by
//! reading it back. [`process::run`] is the server as a process of its own. The types both sides of
//! the API share are in this root.
//!
//! **Units:** numbers in the API keep Toxiproxy's units (milliseconds, microseconds, kilobytes per
//! second); inside, times are `Duration` and sizes are bytes.
//!
//! **Source:** behaviour read from, and measured on, Toxiproxy 2.12; what is different on purpose
//! is listed in this crate's README.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "fault-proxy is built and measured on Linux first; other systems are not supported yet"
);

mod chance;
pub mod client;
mod engine;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod json;
mod model;
pub mod process;
mod refusal;
pub mod server;
mod toxic;

pub use model::{
    ByteStatistics, ConnectionStatistics, Extensions, FlowStatistics, ProxySpec, ProxyView,
    Statistics, Stream, ToxicSpec, ToxicStatistics, ToxicView, UnknownStream,
};
