//! Reference WebSocket chat server.
//!
//! A request becomes a socket in `http`, which `route` it is on decides what for, and it lives in
//! `session`. Its messages go through `message` to the queue in Redis, where a `worker` answers
//! them, or to a people chat; all that comes back over the `channel` layer, and `room` decides
//! which `socket` gets what. `process` starts all of it as `config` says. ARCHITECTURE.md has a
//! line about each room.

mod args;
mod auth;
mod bound;
mod channel;
mod clock;
mod config;
mod defect;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod host;
mod http;
mod message;
mod metrics;
mod process;
mod room;
mod route;
mod session;
mod socket;
mod store;
mod wire;
mod worker;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

/// Everything the binary does. Exit codes: 0 done, 1 not healthy, 2 wrong usage, 3 the process
/// could not start.
#[must_use]
pub fn main() -> ExitCode {
    let cli = args::Cli::parse();
    if cli.list_defects {
        return process::terminal::print(&defect::list());
    }
    match cli.command {
        Some(args::Command::Serve(args)) => process::serve::start(*args),
        Some(args::Command::Health(args)) => process::health::start(&args),
        Some(args::Command::Worker(args)) => process::worker::start(*args),
        None => {
            let help = args::Cli::command().render_help();
            process::terminal::complain(&format!("{help}"));
            ExitCode::from(2)
        }
    }
}
