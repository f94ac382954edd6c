//! Row 25: now and then `complete` never comes.
//!
//! Asked where a finished event becomes a frame, in `room::event`: the worker has done its work and
//! the answer is accounted for, so nothing drives it again; the client just never hears the end.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 25,
    name: "complete-missing",
    wrong: "now and then `complete` never comes",
    seen: "an answer seems to go on for ever",
    rate: Some(1.0 / 100.0),
};

impl Defects {
    /// Whether the end of this task's answer is withheld.
    pub(crate) fn withholds_end(&self, task: u64) -> bool {
        self.strikes(&SPEC, task)
    }
}
