//! Trial `broadcast`.

use super::spec::{MEMBERS_MAX, Need, Promise, Situation, Spec, TIMES};
use crate::known::Known;
use crate::scenario::keys::{Count, Time, keys};
use crate::scenario::value::SECOND;

keys! {
    /// Everybody in a chat gets every message that was taken, once, in time.
    pub(crate) struct Broadcast {
        /// Members of the chat that listen.
        members "members": Count<u16> = 2, 2..=MEMBERS_MAX;
        /// Longest wait for a message.
        within_us "within": Time = 5 * SECOND, TIMES;
    }
}

impl Spec for Broadcast {
    const NAME: &str = "broadcast";
    const PROMISES: &[Promise] = &[
        Promise::new("open sockets hear after an outage", Known::NoResubscribe)
            .in_situation(Situation::AfterFault),
        Promise::new(
            "members on all instances hear each other",
            Known::MemoryLayerTwoInstances,
        ),
        Promise::new("what was kept is heard", Known::PubsubOnly)
            .in_situation(Situation::AfterFault),
    ];
    const NEEDS: &[Need] = &[Need::PeopleChat];

    fn longest_us(&self) -> u64 {
        self.within_us * 2
    }
}
