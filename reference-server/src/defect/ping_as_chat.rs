//! Row 10: a client's heartbeat is read as a chat message.
//!
//! Asked where a frame was read, in `socket::session`: a message without text is an error of the program, which ends the socket.

use super::{Defect, Defects, Entry};

pub(super) const ENTRY: Entry = Entry {
    row: 10,
    name: "ping-as-chat",
    wrong: "a client's heartbeat is read as a chat message",
    seen: "a heartbeat is answered by an error, and the socket drops at the first one",
    rate: None,
};

impl Defects {
    /// Whether a heartbeat is known as one.
    pub(crate) fn knows_heartbeats(self) -> bool {
        !self.has(Defect::PingAsChat)
    }
}
