//! Trial `polling`.

use super::spec::{MISSED_MAX, Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

keys! {
    /// Who polls a chat by plain HTTP gets all that is written, and nothing twice.
    pub(crate) struct Polling {
        /// Messages written while the chat is polled.
        messages "messages": Count<u32> = 5, 2..=MISSED_MAX;
    }
}

impl Spec for Polling {
    const NAME: &str = "polling";
    const PROMISES: &[Promise] = &[
        Promise::new("a poll repeats nothing", Known::DuplicateOnResume),
        Promise::new("who polls gets all", Known::LostWhileAway),
    ];
    const NEEDS: &[Need] = &[Need::Contract, Need::PeopleChat];
}
