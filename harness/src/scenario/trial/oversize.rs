//! Trial `oversize`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A message over the length limit is refused.
    pub(crate) struct Oversize {
    }
}

impl Spec for Oversize {
    const NAME: &str = "oversize";
    const PROMISES: &[Promise] = &[Promise::new(
        "an oversized message is refused",
        Known::OversizeAccepted,
    )];
    const NEEDS: &[Need] = &[Need::Contract];
}
