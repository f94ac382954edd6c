//! Row 19: every Origin is accepted.
//!
//! Asked where an upgrade is judged, in `http::upgrade`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 19,
    name: "origin-unchecked",
    wrong: "every Origin is accepted",
    seen: "a page of another site opens a socket with the visitor's cookies",
    rate: None,
};

impl Defects {
    /// Whether a page's site is looked at.
    pub(crate) fn checks_origin(&self) -> bool {
        !self.has(&SPEC)
    }
}
