//! Row 9: the server sends no WebSocket ping.
//!
//! Asked where sockets are looked after, in `socket::sweeper`.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 9,
    name: "no-server-ping",
    wrong: "the server sends no WebSocket ping",
    seen: "idle sockets die at the next middlebox",
    rate: None,
};

impl Defects {
    /// Whether idle sockets are kept alive.
    pub(crate) fn pings(&self) -> bool {
        !self.has(&SPEC)
    }
}
