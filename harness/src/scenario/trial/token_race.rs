//! Trial `token-race`.

use super::spec::{Need, Promise, RACERS_MAX, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

keys! {
    /// Several sockets race with one token: exactly one gets in.
    pub(crate) struct TokenRace {
        /// Sockets that race with one token.
        racers "racers": Count<u16> = 8, 2..=RACERS_MAX;
    }
}

impl Spec for TokenRace {
    const NAME: &str = "token-race";
    const PROMISES: &[Promise] = &[Promise::new(
        "of racing connects with one token one gets in",
        Known::TokenDoubleSpend,
    )];
    const NEEDS: &[Need] = &[Need::ConnectionTokens];
}
