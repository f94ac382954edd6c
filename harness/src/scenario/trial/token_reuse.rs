//! Trial `token-reuse`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A token that let somebody in lets nobody in again.
    pub(crate) struct TokenReuse {
    }
}

impl Spec for TokenReuse {
    const NAME: &str = "token-reuse";
    const PROMISES: &[Promise] = &[Promise::new(
        "a token opens one socket",
        Known::TokenReusable,
    )];
    const NEEDS: &[Need] = &[Need::ConnectionTokens];
}
