//! Row 10: a client's heartbeat is read as a chat message.
//!
//! Asked where a frame was read, in `session::take`: a message without text is an error of the
//! program, which ends the socket.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 10,
    name: "ping-as-chat",
    wrong: "a client's heartbeat is read as a chat message",
    seen: "a heartbeat is answered by an error, and the socket drops at the first one",
    rate: None,
};

impl Defects {
    /// Whether a heartbeat is known as one.
    pub(crate) fn knows_heartbeats(&self) -> bool {
        !self.has(&SPEC)
    }
}
