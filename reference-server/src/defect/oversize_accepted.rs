//! Row 22: the length of a message is not looked at.
//!
//! Asked where a frame was read, in `session::take`; the bound on frames stays.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 22,
    name: "oversize-accepted",
    wrong: "the length of a message is not looked at",
    seen: "a message over 10,000 characters is answered",
    rate: None,
};

impl Defects {
    /// Characters of a message.
    pub(crate) fn message_max(&self, limit: usize) -> usize {
        if self.has(&SPEC) { usize::MAX } else { limit }
    }
}
