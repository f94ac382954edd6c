//! Row 20: a people chat is open to whoever is logged in.
//!
//! Asked where an upgrade is judged, in `http::upgrade`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 20,
    name: "not-a-participant",
    wrong: "a people chat is open to whoever is logged in",
    seen: "a user reads and writes in a chat that is not theirs",
    rate: None,
};

impl Defects {
    /// Whether a chat is for its participants.
    pub(crate) fn checks_participants(&self) -> bool {
        !self.has(&SPEC)
    }
}
