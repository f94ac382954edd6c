//! Row 14: a replay begins with what the client named as its last, and asks nobody what was sent.
//!
//! Asked where a replay is read and sent, in `channel::replayer` and `room::replay`, and where a
//! history is polled, in `http::messages`.

use super::{Defects, Spec};
use crate::store::StreamId;

pub(super) const SPEC: Spec = Spec {
    row: 14,
    name: "duplicate-on-resume",
    wrong: "a replay begins with what the client named as its last, and asks nobody what was sent",
    seen: "messages seen before come again after a reconnect",
    rate: None,
};

impl Defects {
    /// Where a replay after `after` begins: the entry before what is sent first.
    pub(crate) fn replay_from(&self, after: StreamId) -> StreamId {
        if !self.has(&SPEC) {
            return after;
        }
        after.before()
    }

    /// Whether a resume sends what the socket has had.
    pub(crate) fn repeats_on_resume(&self) -> bool {
        self.has(&SPEC)
    }
}
