//! Trial `expiry`.

use super::spec::{ACCESS_TTL, Need, Promise, Spec, TIMES};
use crate::known::Known;
use crate::scenario::keys::{Time, keys};

keys! {
    /// Who holds a socket when the access token ends is warned before, and closed with a code.
    pub(crate) struct Expiry {
        /// What the server promises an access token is good for.
        ttl_us "ttl": Time = ACCESS_TTL, TIMES;
    }
}

impl Spec for Expiry {
    const NAME: &str = "expiry";
    const PROMISES: &[Promise] = &[Promise::new(
        "the end of the access token is announced",
        Known::JwtExpiryCut,
    )];
    const NEEDS: &[Need] = &[Need::Contract];

    fn waits_us(&self) -> u64 {
        self.ttl_us
    }
}
