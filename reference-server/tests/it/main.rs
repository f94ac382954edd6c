//! The server over real sockets, with a real Redis that belongs to the test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod admin;
mod bad_input;
mod chat;
mod client;
mod configuration;
mod defects;
mod handshake;
mod limits;
mod metrics;
mod people;
mod redis_loss;
mod replay;
mod shutdown;
mod support;
mod tls;
mod tokens;
