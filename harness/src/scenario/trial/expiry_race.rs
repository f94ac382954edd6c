//! Trial `expiry-race`.

use super::spec::{ACCESS_TTL, Need, Promise, Situation, Spec, TIMES};
use crate::known::Known;
use crate::scenario::keys::{Time, keys};
use crate::scenario::value::MS;

keys! {
    /// Who connects as the access token ends is let in or refused, and told so.
    pub(crate) struct ExpiryRace {
        /// What the server promises an access token is good for.
        ttl_us "ttl": Time = ACCESS_TTL, TIMES;
        /// Connects begin up to this far from its end.
        spread_us "spread": Time = 20 * MS, TIMES;
    }
}

impl Spec for ExpiryRace {
    const NAME: &str = "expiry-race";
    const PROMISES: &[Promise] = &[
        Promise::new(
            "a connect at the end is refused with a word",
            Known::Silent1006,
        )
        .in_situation(Situation::EndedMidway),
        Promise::new(
            "a socket is closed at the end with a code",
            Known::JwtExpiryCut,
        )
        .in_situation(Situation::EndedMidway),
    ];
    const NEEDS: &[Need] = &[Need::Contract];

    fn waits_us(&self) -> u64 {
        self.ttl_us.saturating_sub(self.spread_us)
    }

    fn longest_us(&self) -> u64 {
        self.ttl_us
    }
}
