//! Row 33: what was published while Redis was away from a server is gone.
//!
//! Asked after a new connection of the subscriber, in `channel::subscriber`: it subscribes again,
//! late, and reads no history. Nothing is queued again either.

use std::time::Duration;

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 33,
    name: "pubsub-only",
    wrong: "what was published while Redis was away from a server is gone",
    seen: "answers that were under way in an outage never complete",
    rate: None,
};

/// How long a client library takes to notice that Redis is back.
const LATE: Duration = Duration::from_secs(2);

impl Defects {
    /// Whether histories are read after an outage; if not, returns late.
    pub(crate) async fn reads_histories(&self) -> bool {
        let reads = !self.has(&SPEC);
        if !reads {
            tokio::time::sleep(LATE).await;
        }
        reads
    }

    /// Whether acknowledged tasks are queued again that nothing was heard of.
    pub(crate) fn drives_again(&self) -> bool {
        let one_copy = [
            &SPEC,
            &super::no_resubscribe::SPEC,
            &super::expiry_too_short::SPEC,
        ];
        !one_copy.into_iter().any(|defect| self.has(defect))
    }
}
