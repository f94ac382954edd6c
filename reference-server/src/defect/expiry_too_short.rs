//! Row 18: events of the channel layer expire after half a second.
//!
//! Asked where the layer is made, in `process::serve` and `process::worker`. Nothing is queued
//! again either: servers like that have one copy only.

use std::time::Duration;

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 18,
    name: "expiry-too-short",
    wrong: "events of the channel layer expire after half a second",
    seen: "after a brief stall of Redis part of an answer is gone",
    rate: None,
};

impl Defects {
    /// How long a conversation's history outlives its last event.
    pub(crate) fn history_expiry(&self, said: Duration) -> Duration {
        if self.has(&SPEC) {
            Duration::from_millis(500)
        } else {
            said
        }
    }
}
