//! Fault `no_answer`.

use fault_proxy::ToxicSpec;

use super::spec::{Mechanism, Reach, Sign, Spec};
use crate::scenario::keys::keys;

keys! {
    /// New connections are accepted and not carried on.
    pub(crate) struct NoAnswer {}
}

impl Spec for NoAnswer {
    const NAME: &str = "no_answer";
    const REACH: Reach = Reach::Connections;
    const OWN_PROXY: bool = true;

    fn effect(&self) -> String {
        "accepting and not answering".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(ToxicSpec::no_answer(""), Sign::Silent)
    }
}
