//! What a process says on stdout and stderr.

use std::io::Write as _;
use std::process::ExitCode;

/// Prints what was asked for.
pub(crate) fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints a line that is no part of what was asked for.
pub(crate) fn complain(text: &str) {
    // Where stderr is closed nobody can be told.
    if writeln!(std::io::stderr(), "{text}").is_err() {}
}
