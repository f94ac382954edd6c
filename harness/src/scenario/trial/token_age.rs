//! Trial `token-age`.

use super::spec::{Need, Promise, Situation, Spec, TIMES, TOKEN_TTL};
use crate::known::Known;
use crate::scenario::keys::{Time, keys};
use crate::scenario::value::SECOND;

keys! {
    /// A token of any age around its time to live: good before, not after.
    pub(crate) struct TokenAge {
        /// What the server promises a token is good for.
        ttl_us "ttl": Time = TOKEN_TTL, TIMES;
        /// Ages are tried up to this far from the time to live.
        spread_us "spread": Time = 10 * SECOND, TIMES;
    }
}

impl Spec for TokenAge {
    const NAME: &str = "token-age";
    const PROMISES: &[Promise] = &[
        Promise::new("a token ends", Known::TokenImmortal).in_situation(Situation::OldTokens),
        Promise::new("a token lives as long as is said", Known::TokenTtlDrift),
    ];
    const NEEDS: &[Need] = &[Need::ConnectionTokens];

    fn waits_us(&self) -> u64 {
        self.ttl_us.saturating_sub(self.spread_us)
    }

    fn longest_us(&self) -> u64 {
        self.ttl_us * 2 + self.spread_us
    }
}
