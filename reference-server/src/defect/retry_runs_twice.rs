//! Row 34: the id of a message is not remembered.
//!
//! Asked where a message is queued or posted, in `message::queue` and `message::publish`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 34,
    name: "retry-runs-twice",
    wrong: "the id of a message is not remembered",
    seen: "a message that is sent again after an outage is answered twice",
    rate: None,
};

impl Defects {
    /// Whether a message that comes again is known.
    pub(crate) fn remembers_ids(&self) -> bool {
        !self.has(&SPEC)
    }
}
