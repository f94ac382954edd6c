//! Row 21: messages are not limited.
//!
//! Asked where messages are limited, in `intake`.

use super::{Defect, Defects, Entry};

pub(super) const ENTRY: Entry = Entry {
    row: 21,
    name: "no-rate-limit",
    wrong: "messages are not limited",
    seen: "a flood is taken and answered",
    rate: None,
};

impl Defects {
    /// Whether users have an allowance.
    pub(crate) fn limits_rate(self) -> bool {
        !self.has(Defect::NoRateLimit)
    }
}
