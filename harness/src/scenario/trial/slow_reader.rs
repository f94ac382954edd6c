//! Trial `slow-reader`.

use super::spec::{MESSAGES_MAX, Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

keys! {
    /// A socket that does not read what it is sent is given up.
    pub(crate) struct SlowReader {
        /// Messages at once.
        messages "messages": Count<u32> = 100, 2..=MESSAGES_MAX;
    }
}

impl Spec for SlowReader {
    const NAME: &str = "slow-reader";
    const PROMISES: &[Promise] = &[Promise::new(
        "a slow reader is given up",
        Known::UnboundedOutbox,
    )];
    const NEEDS: &[Need] = &[Need::Contract];
}
