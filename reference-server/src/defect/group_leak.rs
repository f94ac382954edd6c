//! Row 16: a closed socket stays in its conversation's group.
//!
//! Asked where a socket ends, in `socket::session`.

use super::{Defect, Defects, Entry};

pub(super) const ENTRY: Entry = Entry {
    row: 16,
    name: "group-leak",
    wrong: "a closed socket stays in its conversation's group",
    seen: "memory, subscriptions and the cost of a message grow with every reconnect",
    rate: None,
};

impl Defects {
    /// Whether a socket that has ended leaves its room.
    pub(crate) fn leaves_groups(self) -> bool {
        !self.has(Defect::GroupLeak)
    }
}
