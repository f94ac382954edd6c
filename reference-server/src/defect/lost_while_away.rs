//! Row 15: messages of a people chat are sent to who is there and kept for nobody.
//!
//! Asked where a message is kept, in `message::publish`: the history is gone a millisecond later.

use std::time::Duration;

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 15,
    name: "lost-while-away",
    wrong: "messages of a people chat are sent to who is there and kept for nobody",
    seen: "what was written while a client was away never reaches it",
    rate: None,
};

impl Defects {
    /// How long a people chat's history outlives its last message.
    pub(crate) fn chat_kept(&self, said: Duration) -> Duration {
        if self.has(&SPEC) {
            Duration::from_millis(1)
        } else {
            said
        }
    }
}
