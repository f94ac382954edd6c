//! Trial `close-code`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// Whatever ends a socket is told by the close code that the contract has for it.
    pub(crate) struct CloseCode {}
}

impl Spec for CloseCode {
    const NAME: &str = "close-code";
    const PROMISES: &[Promise] = &[Promise::new(
        "the code is the contract's",
        Known::Silent1006,
    )];
    const NEEDS: &[Need] = &[Need::Contract, Need::PeopleChat];
}
