//! What the fault proxy costs, beside a direct connection and a plain splice.
//!
//! **Method.** Each way under test is a process of its own, so that its processor time and memory are
//! its own (`/proc`); clients and the server behind it are in this one. All ways take turns in every
//! round, medians over the rounds are shown, and a ratio is the median of the rounds' ratios: what
//! else the machine does falls on all alike. The splice is tokio's `copy_bidirectional` with its 8 KiB
//! buffers, and once more with reads of 32 KiB, the proxy's own size; both with `TCP_NODELAY`. Splice
//! and proxy run on one current-thread runtime each, as the proxy does inside a harness.
//!
//! With `latency` means a toxic of 1 ms on each stream: a round trip takes 2 ms by design; its processor
//! time is what queueing every chunk costs. How late toxics act is measured by itself, one way.
//!
//! **Units:** µs; MB = 10^6 bytes, half of them in each direction at once; KiB of anonymous memory
//! per connection that has carried one message each way and waits.
//!
//! `HARNESS_BINARY` names the `harness` for the last part, 10,000 connections through two processes.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it found"
)]

mod capacity;
mod ends;
mod moment;
mod part;
mod role;
mod table;
mod way;

use std::{error::Error, process::ExitCode};
use way::Way;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Turns each way takes.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let done = part::raise_file_limit().and_then(|()| match role::asked() {
        Some(role) => role::play(role),
        None => measure(),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Outcome<()> {
    let upstream = ends::Upstream::start()?;
    let mut ways = Way::all(&upstream)?;
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for way in &mut ways {
            way.take_turn()?;
        }
    }
    for way in &mut ways {
        way.hold_idle_connections()?;
    }
    table::print(&ways)?;
    drop(ways);
    moment::measure()?;
    capacity::measure()
}
