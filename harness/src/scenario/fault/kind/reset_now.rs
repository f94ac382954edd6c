//! Fault `reset_now`.

use super::spec::{Mechanism, Reach, Spec};
use crate::scenario::keys::keys;

keys! {
    /// Every open connection is reset at one moment.
    pub(crate) struct ResetNow {}
}

impl Spec for ResetNow {
    const NAME: &str = "reset_now";
    const REACH: Reach = Reach::Link;
    const IS_MOMENT: bool = true;
    const OWN_PROXY: bool = true;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "reset once".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::ResetNow
    }
}
