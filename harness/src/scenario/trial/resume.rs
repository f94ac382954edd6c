//! Trial `resume`.

use super::spec::{MISSED_MAX, Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

keys! {
    /// Who comes back to a chat gets what it missed, and only that.
    pub(crate) struct Resume {
        /// Messages sent while a member is away.
        messages "messages": Count<u32> = 5, 2..=MISSED_MAX;
    }
}

impl Spec for Resume {
    const NAME: &str = "resume";
    const PROMISES: &[Promise] = &[
        Promise::new("a replay repeats nothing", Known::DuplicateOnResume),
        Promise::new("who was away gets what it missed", Known::LostWhileAway),
    ];
    const NEEDS: &[Need] = &[Need::Contract, Need::PeopleChat];
}
