//! Trial `hostile`.

use super::spec::{Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// What no client should send is answered with a word.
    pub(crate) struct Hostile {
    }
}

impl Spec for Hostile {
    const NAME: &str = "hostile";
    const PROMISES: &[Promise] = &[Promise::new(
        "nonsense is answered with a word",
        Known::Silent1006,
    )];
}
