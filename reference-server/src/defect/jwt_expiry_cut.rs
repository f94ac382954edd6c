//! Row 23: nobody is told that the access token ends, and the socket is cut when it does.
//!
//! Asked where sockets are looked after, in `socket::sweeper`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 23,
    name: "jwt-expiry-cut",
    wrong: "nobody is told that the access token ends, and the socket is cut when it does",
    seen: "sockets drop with 1006 in the middle of a conversation",
    rate: None,
};

impl Defects {
    /// Whether a client hears of its token's end before and at it.
    pub(crate) fn tells_of_expiry(&self) -> bool {
        !self.has(&SPEC)
    }
}
