//! This module is what the clients of a run do wrong on purpose (wire contract, "Failures", kind C).
//!
//! **In:** the switches of the plan. **Out:** the same decisions as always where they are off. That a client
//! misbehaves is seen from the server's counters, never from these switches.
//!
//! The third of them, a second socket beside each, is where sockets are opened: `connecting`.

use super::job;
use crate::plan::seed::Stream;
use crate::plan::{ClientDefect, LoadPlan};

/// How long to wait before attempt number `nth` (from 1) at a session; see [`job::backoff_us`].
pub(super) fn backoff_us(load: &LoadPlan, nth: u16, asked_us: u64, jitter: &mut Stream) -> u64 {
    if load.has(ClientDefect::NoBackoff) {
        return 0;
    }
    job::backoff_us(&load.reconnect, nth, asked_us, jitter)
}

/// The token to come back with in place of a new one.
pub(super) fn stale_token(
    load: &LoadPlan,
    after_cut: bool,
    used: Option<&String>,
) -> Option<String> {
    used.filter(|_| after_cut && load.has(ClientDefect::StaleTokenRetry))
        .cloned()
}

/// What a client remembers of a token that it uses.
pub(super) fn remembered(load: &LoadPlan, token: &str) -> Option<String> {
    load.has(ClientDefect::StaleTokenRetry)
        .then(|| token.to_owned())
}
