//! Row 17: what waits for a slow reader has no bound.
//!
//! Asked where a socket's bounds are set, in `session::life`.

use std::time::Duration;

use super::{Defects, Spec};
use crate::bound::OutboxBounds;

pub(super) const SPEC: Spec = Spec {
    row: 17,
    name: "unbounded-outbox",
    wrong: "what waits for a slow reader has no bound",
    seen: "one reader that stops grows the server until it dies; nobody is told 1013",
    rate: None,
};

impl Defects {
    /// The bounds of an outbox.
    pub(crate) fn outbox(&self, bounds: OutboxBounds) -> OutboxBounds {
        if self.has(&SPEC) {
            return OutboxBounds {
                frames: usize::MAX,
                bytes: usize::MAX,
                user_bytes: usize::MAX,
                age: Duration::from_hours(24),
            };
        }
        bounds
    }
}
