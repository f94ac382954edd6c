//! A line that several connections send over in turn.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// When it is free again.
#[derive(Debug, Default)]
pub(crate) struct Line(Mutex<Option<Instant>>);

impl Line {
    /// Takes it for so long, once those before are done; answers until when.
    pub(super) fn take(&self, now: Instant, time: Duration) -> Instant {
        let mut free_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = free_at.map_or(now, |free_at| free_at.max(now)) + time;
        *free_at = Some(until);
        until
    }
}
