//! Trial `token-hoard`.

use super::spec::{MESSAGES_MAX, Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

keys! {
    /// Of many token requests one after the other some are refused.
    pub(crate) struct TokenHoard {
        /// Tokens asked for, one after the other.
        tokens "tokens": Count<u32> = 200, 2..=MESSAGES_MAX;
    }
}

impl Spec for TokenHoard {
    const NAME: &str = "token-hoard";
    const PROMISES: &[Promise] = &[Promise::new(
        "tokens without end are refused",
        Known::NoRateLimit,
    )];
    const NEEDS: &[Need] = &[Need::ConnectionTokens];
}
