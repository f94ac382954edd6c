//! Trial `reply-lost`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A token whose connect was never answered opens one socket at most, and a fresh one is the way back.
    pub(crate) struct ReplyLost {
    }
}

impl Spec for ReplyLost {
    const NAME: &str = "reply-lost";
    const PROMISES: &[Promise] = &[Promise::new(
        "a token whose answer was lost opens one socket at most",
        Known::TokenReusable,
    )];
    const NEEDS: &[Need] = &[Need::ConnectionTokens];
}
