//! Row 34: the id of a message is not remembered.
//!
//! Asked where a message is queued or posted, in `intake` and `post`.

use super::{Defect, Defects, Entry};

pub(super) const ENTRY: Entry = Entry {
    row: 34,
    name: "retry-runs-twice",
    wrong: "the id of a message is not remembered",
    seen: "a message that is sent again after an outage is answered twice",
    rate: None,
};

impl Defects {
    /// Whether a message that comes again is known.
    pub(crate) fn remembers_ids(self) -> bool {
        !self.has(Defect::RetryRunsTwice)
    }
}
