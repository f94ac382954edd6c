//! Row 26: now and then a chunk is sent to another conversation as well.
//!
//! Asked where an event is delivered, in `room::rooms`: the second chunk of an answer goes to one
//! more room of this instance, if there is one.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 26,
    name: "wrong-conversation",
    wrong: "now and then a chunk is sent to another conversation as well",
    seen: "a user reads a part of somebody else's answer",
    rate: Some(1.0 / 100.0),
};

impl Defects {
    /// Whether this event of the task goes astray too.
    pub(crate) fn strays(&self, task: u64, ordinal: u32) -> bool {
        // After `processing_started` and the first chunk.
        ordinal == 2 && self.strikes(&SPEC, task)
    }
}
