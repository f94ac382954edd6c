//! Row 16: a closed socket stays in its conversation's group.
//!
//! Asked where a socket ends, in `session::life`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 16,
    name: "group-leak",
    wrong: "a closed socket stays in its conversation's group",
    seen: "memory, subscriptions and the cost of a message grow with every reconnect",
    rate: None,
};

impl Defects {
    /// Whether a socket that has ended leaves its room.
    pub(crate) fn leaves_groups(&self) -> bool {
        !self.has(&SPEC)
    }
}
