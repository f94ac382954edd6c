//! The proxies and the bytes that go through them.
//!
//! ```text
//! Registry -> Proxy -> acceptor task -> one task per connection: opening, then
//!               |                            ^   two Links -> Stages -> sockets, and Limits beside them
//!               +---- Orders (watch) --------+   toxics in force, resets, stop
//!               +---- Traffic, Events <------+   counters and news, as it happens
//! ```
//!
//! **In:** changes from the API. **Out:** their outcome, after live connections have taken them up.
//!
//! One task serves both directions of a connection, because what ends one direction closes both
//! sockets: with one owner a close, a reset or a stop is an ordinary assignment, and an idle
//! connection costs a task and no buffer. The task never waits for a send; it takes part in
//! whatever is ready (input while there is room, output while the peer takes it, a toxic's time,
//! new orders). A peer that stops reading therefore fills its own bounded queue and nothing else.

mod acceptor;
mod address;
mod connection;
mod description;
mod draw;
mod ends;
mod events;
mod held;
mod hops;
mod limits;
mod link;
mod memory;
mod opening;
mod orders;
mod pacer;
mod places;
mod proxy;
mod registry;
mod scratch;
mod shares;
mod stage;
mod toxics;
mod traffic;
mod ways;

pub(crate) use description::{Changes, Description, Statistics, ToxicChange, Wanted};
pub(crate) use events::Subscription;
pub(crate) use places::api_connections_max;
pub(crate) use registry::{Registry, Settings};
pub(crate) use toxics::TOXICS_MAX;
