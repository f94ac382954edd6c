//! Trial `comeback`.

use super::spec::{Need, Promise, Spec, TIMES};
use crate::known::Known;
use crate::scenario::keys::{Time, keys};
use crate::scenario::value::SECOND;

keys! {
    /// An answer can be had again after a short absence.
    pub(crate) struct Comeback {
        /// How long the client is away.
        away_us "away": Time = 2 * SECOND, TIMES;
    }
}

impl Spec for Comeback {
    const NAME: &str = "comeback";
    const PROMISES: &[Promise] = &[Promise::new(
        "an answer outlives a short absence",
        Known::ExpiryTooShort,
    )];
    const NEEDS: &[Need] = &[Need::Contract];

    fn waits_us(&self) -> u64 {
        self.away_us
    }
}
