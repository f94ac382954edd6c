//! This module tells what one client says and hears while it does.
//!
//! **In:** lines, as they happen. **Out:** the same to whoever listens, over a bounded queue: a listener that is
//! too slow misses lines, and the load never waits.
//!
//! **Units:** microseconds since load start.

use std::sync::mpsc::SyncSender;

use crate::format;

/// Longest text of a line, in characters.
const TEXT_CHARS_MAX: usize = 400;

/// Where lines go; nowhere without a listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Option<SyncSender<(u64, String)>>);

impl Trace {
    pub(crate) const fn to(listener: SyncSender<(u64, String)>) -> Self {
        Self(Some(listener))
    }

    /// Tells a line; it is made only where somebody listens. A secret must not be in it.
    pub(crate) fn tell(&self, at_us: u64, line: impl FnOnce() -> String) {
        if let Some(listener) = &self.0 {
            let line: String = line().chars().take(TEXT_CHARS_MAX).collect();
            // A line that does not fit is missed.
            drop(listener.try_send((at_us, format::harmless(&line))));
        }
    }
}
