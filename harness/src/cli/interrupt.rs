//! This module owns Ctrl-C.
//!
//! **In:** SIGINT, SIGTERM, SIGHUP. **Out:** a token that is cancelled by the first; the second ends
//! the process at once, and the janitor cleans up. Or, for who starts runs as processes, a channel that tells each.
//!
//! Taken before goose starts: the library both use gives signals to whoever asks first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::exit::Exit;

/// Signals that may wait to be heard; more of them say nothing new.
const WAITING_MAX: usize = 8;

/// A token that the first signal cancels.
pub(super) fn token() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let asked = AtomicBool::new(false);
    handle(move || {
        if asked.swap(true, Ordering::Relaxed) {
            end_at_once();
        }
        cancel.cancel();
    })?;
    Ok(token)
}

/// A channel that hears of each signal.
pub(super) fn told() -> Result<mpsc::Receiver<()>, Failure> {
    let (tell, told) = mpsc::sync_channel(WAITING_MAX);
    handle(move || {
        // Where enough of them wait already, one more says nothing new.
        if tell.try_send(()).is_err() {}
    })?;
    Ok(told)
}

fn handle(heard: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(heard).map_err(|error| {
        Failure::new(
            Exit::Environment,
            format!("signals cannot be caught: {error}"),
        )
    })
}

#[expect(
    clippy::exit,
    reason = "asked twice: nothing may delay the end, and the janitor cleans up"
)]
fn end_at_once() {
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
