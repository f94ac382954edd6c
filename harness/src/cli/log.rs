//! This module holds what a run writes while nobody asks: its log, and the frames of `--trace`.
//!
//! **In:** what the harness and its libraries say; frames of the one client. **Out:** `logs/harness.log`, and stderr.

use std::io::Write;
use std::sync::mpsc;
use std::thread;

use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::exit::Exit;
use crate::format;
use crate::record::trace::Trace;
use crate::result::store::RunDir;

/// Lines of `--trace` that may wait to be written.
const TRACE_LINES_MAX: usize = 10_000;

/// Frames go to stderr as they come; the thread that writes them ends with the last sender.
pub(super) fn tracing_to_stderr() -> Result<Trace, Failure> {
    let (trace, lines) = mpsc::sync_channel::<(u64, String)>(TRACE_LINES_MAX);
    let writing = thread::Builder::new().spawn(move || {
        for (at_us, line) in lines {
            let at = format::stamp(at_us);
            // Where nobody reads stderr, nobody is told.
            drop(writeln!(std::io::stderr(), "{at:>9}  {line}"));
        }
    });
    let failed = |error| Failure::new(Exit::Environment, format!("--trace: no thread: {error}"));
    writing.map(|_| Trace::to(trace)).map_err(failed)
}

/// What the harness and its libraries have to say goes to a file, never to the terminal.
pub(super) fn start(folder: &RunDir) -> Result<(), Failure> {
    let path = folder.file("logs").join("harness.log");
    let failed =
        |error: std::io::Error| Failure::new(Exit::Storage, format!("{}: {error}", path.display()));
    std::fs::create_dir_all(folder.file("logs")).map_err(failed)?;
    // The folder was taken: a log that is there already is nobody's of ours.
    let file = std::fs::File::create_new(&path).map_err(failed)?;
    let filter = EnvFilter::try_from_env("HARNESS_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,goose=error,rustls_platform_verifier=off"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // A log that cannot be written is no news for the terminal.
        .log_internal_errors(false);
    // A second run in one process keeps the first one's log.
    if log
        .with_writer(std::sync::Mutex::new(file))
        .try_init()
        .is_err()
    {
        tracing::debug!("a log is kept already");
    }
    Ok(())
}
