//! Row 21: neither messages nor connection tokens are limited.
//!
//! Asked where messages are limited, in `message::submit`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 21,
    name: "no-rate-limit",
    wrong: "neither messages nor connection tokens are limited",
    seen: "a flood is taken and answered, and whoever asks for tokens without end gets them",
    rate: None,
};

/// Per second: a microsecond apart, as close as they are counted.
const UNLIMITED: f64 = 1e6;

impl Defects {
    /// Connection tokens that a user may have per second, and at once.
    pub(crate) fn token_allowance(&self, rate: f64, burst: u32) -> (f64, u32) {
        if self.limits_rate() {
            (rate, burst)
        } else {
            (UNLIMITED, u32::MAX)
        }
    }

    /// Whether users have an allowance.
    pub(crate) fn limits_rate(&self) -> bool {
        !self.has(&SPEC)
    }
}
