//! The fault proxy from outside: over HTTP and over real sockets, one binary for all of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod alone;
mod api_proxies;
mod api_shape;
mod api_toxics;
mod bad_peers;
mod bounds;
mod client;
mod control;
mod crowd;
mod down;
mod extension_routes;
mod extension_toxics;
mod fuzz;
mod hostile;
mod program;
mod program_cli;
mod readme;
mod sockets;
mod support;
mod toxics_close;
mod toxics_flow;
