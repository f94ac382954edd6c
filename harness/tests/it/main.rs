//! This binary drives the command line from outside, and holds the repository to its own rules.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod cli;
mod end_to_end;
mod environment;
mod renderers;
mod scenarios;
mod support;
mod tidy;
