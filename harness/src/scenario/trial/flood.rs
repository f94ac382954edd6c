//! Trial `flood`.

use super::spec::{MESSAGES_MAX, Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

keys! {
    /// Of many messages at once some are refused.
    pub(crate) struct Flood {
        /// Messages at once.
        messages "messages": Count<u32> = 100, 2..=MESSAGES_MAX;
    }
}

impl Spec for Flood {
    const NAME: &str = "flood";
    const PROMISES: &[Promise] = &[Promise::new("a flood is refused", Known::NoRateLimit)];
    const NEEDS: &[Need] = &[Need::Refusals];
}
