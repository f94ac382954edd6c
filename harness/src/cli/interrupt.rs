//! This module owns Ctrl-C.
//!
//! **In:** SIGINT, SIGTERM, SIGHUP. **Out:** a token that is cancelled by the first; the second ends
//! the process at once, and the janitor cleans up.
//!
//! Taken before goose starts: the library both use gives signals to whoever asks first.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::exit::Exit;

/// A token that the first signal cancels.
pub(super) fn token() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            end_at_once();
        }
        cancel.cancel();
    })
    .map_err(|error| {
        Failure::new(
            Exit::Environment,
            format!("signals cannot be caught: {error}"),
        )
    })?;
    Ok(token)
}

#[expect(
    clippy::exit,
    reason = "asked twice: nothing may delay the end, and the janitor cleans up"
)]
fn end_at_once() {
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
