//! Row 12: after an outage of Redis the subscriptions are not made again.
//!
//! Asked after a new connection of the subscriber, in `channel::subscriber`. Nothing is queued
//! again either: servers like that do not know that an answer is missing.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 12,
    name: "no-resubscribe",
    wrong: "after an outage of Redis the subscriptions are not made again",
    seen: "old sockets look live and get nothing; new conversations work",
    rate: None,
};

impl Defects {
    /// Whether a connection that was lost is made as good as the first.
    pub(crate) fn resubscribes(&self) -> bool {
        !self.has(&SPEC)
    }
}
