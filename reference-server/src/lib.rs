//! Reference WebSocket chat server.
//!
//! A request becomes a socket in `http` (over `tls` where there is a certificate), which `route` it is on decides what for, and
//! it lives in `socket`. Its messages go through `intake` to the queue in Redis, a `worker` answers them, or `post` keeps and
//! publishes them; all that comes back over the `channel` layer, and `room` decides which socket gets what. `store` is
//! Redis, `bound` what one user or address may have, `defect` what can be made to go wrong on purpose.

mod args;
mod bound;
mod channel;
mod clock;
mod config;
mod defect;
mod directory;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod health;
mod http;
mod intake;
mod jwt;
mod memory;
mod metrics;
mod post;
mod process;
mod room;
mod route;
mod secret;
mod serve;
mod shared;
mod socket;
mod start;
mod store;
mod stream_id;
mod tls;
mod token;
mod wire;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

/// Everything the binary does. Exit codes: 0 done, 1 not healthy, 2 wrong usage, 3 the process could not start.
#[must_use]
pub fn main() -> ExitCode {
    let cli = args::Cli::parse();
    if cli.list_defects {
        return print(&defect::Defects::list());
    }
    match cli.command {
        Some(args::Command::Serve(args)) => serve::start(*args),
        Some(args::Command::Health(args)) => health::start(&args),
        Some(args::Command::Worker(args)) => worker::start(*args),
        None => {
            let help = args::Cli::command().render_help();
            complain(&format!("{help}"));
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) {
    // Where stderr is closed nobody can be told.
    if writeln!(std::io::stderr(), "{text}").is_err() {}
}
