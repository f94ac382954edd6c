//! Row 6: refusals and failures cut the TCP connection without a close frame.
//!
//! Asked where a socket is closed by this side, in `socket::conn`: the connection is given up
//! instead.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 6,
    name: "silent-1006",
    wrong: "refusals and failures cut the TCP connection without a close frame",
    seen: "a browser sees 1006 for everything and cannot tell why",
    rate: None,
};

impl Defects {
    /// Whether this side ends sockets without a word.
    pub(crate) fn is_silent(&self) -> bool {
        self.has(&SPEC)
    }
}
