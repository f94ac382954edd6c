//! Fault `down`.

use super::spec::{Mechanism, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// The link refuses connections and has none.
    pub(crate) struct Down {}
}

impl Spec for Down {
    const NAME: &str = "down";
    const REACH: Reach = Reach::Link;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "down".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Disable
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
