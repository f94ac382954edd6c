//! The server over real sockets, with a real Redis that belongs to the test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may panic, and say what they saw"
)]

mod admin;
mod bad_input;
mod chat;
mod chatter;
mod client;
mod configuration;
mod contract;
mod defects;
mod deploy;
mod doors;
mod fuzz;
mod handshake;
mod health;
mod instances;
mod limits;
mod metrics;
mod people;
mod promises;
mod redis_loss;
mod repeat;
mod replay;
mod shutdown;
mod slow_cpu;
mod spoilt;
mod support;
mod tls;
mod tokens;
mod workers;
