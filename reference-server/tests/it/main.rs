//! The server over real sockets, with a real Redis that belongs to the test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may panic, and say what they saw"
)]

mod chat;
mod chatter;
mod client;
mod configuration;
mod defects;
mod deploy;
mod handshake;
mod health;
mod instances;
mod limits;
mod metrics;
mod redis_loss;
mod replay;
mod shutdown;
mod support;
mod tokens;
mod workers;
