//! This module is `cargo xtask soak`: both promises of the contract, held through random faults at full size.
//!
//! It runs the test `promises::soak` of the reference server, whose module says what counts as lost, as survivable and as answered twice. Two
//! servers, two workers and their Redis are killed, stopped, emptied and brought back from a snapshot, as a seed says. The build is that of the tests: what
//! is looked for is order and timing, and a debug build has its assertions and overflow checks on.
//!
//! **Out:** exit code 0 where nothing survivable was lost and nothing answered twice. The seeds of the last ten runs are kept in
//! `target/soak.txt` and printed; `--seed` has one again.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::failure::Failure;
use crate::{redis, step};

/// Runs that are remembered.
const KEPT: usize = 10;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Messages to send
    #[arg(long, default_value_t = 100_000)]
    messages: u64,
    /// Clients who send them, each with three sockets
    #[arg(long, default_value_t = 300)]
    clients: u32,
    /// The schedule of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Longest time of sending; fewer messages in it are a failure
    #[arg(long, default_value_t = 480)]
    seconds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    let seed = arguments
        .seed
        .unwrap_or_else(|| RandomState::new().hash_one("soak") >> 16);
    let mut tests = step::cargo(&["test", "-p", "reference-server", "--test", "it", "--"]);
    tests
        .args(["promises::soak", "--exact", "--nocapture", "--ignored"])
        .env("PROMISES_MESSAGES", arguments.messages.to_string())
        .env("PROMISES_CLIENTS", arguments.clients.to_string())
        .env("PROMISES_SECONDS", arguments.seconds.to_string())
        .env("PROMISES_SEED", seed.to_string())
        .env("REDIS_SERVER", redis);
    let started = Instant::now();
    let held = step::status("soak", &mut tests)?.success();
    let outcome = if held { "held" } else { "broken" };
    let (messages, clients) = (arguments.messages, arguments.clients);
    let seconds = started.elapsed().as_secs();
    remember(&format!(
        "seed {seed}: {outcome}, {messages} messages of {clients} clients, {seconds} s"
    ))?;
    Ok(ExitCode::from(u8::from(!held)))
}

/// Adds a run to those of before, and prints the last ones.
fn remember(run: &str) -> Result<(), Failure> {
    let path = step::target("soak.txt");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut runs: Vec<&str> = before.lines().chain([run]).collect();
    runs.drain(..runs.len().saturating_sub(KEPT));
    let text = runs.join("\n") + "\n";
    println!("\nthe last runs, {KEPT} at most:\n{text}");
    fs::write(&path, text).map_err(|source| Failure::File { path, source })
}
