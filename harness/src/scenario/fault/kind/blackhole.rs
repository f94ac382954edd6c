//! Fault `blackhole`.

use fault_proxy::ToxicSpec;

use super::spec::{Mechanism, Reach, Sign, Spec};
use crate::scenario::keys::keys;

keys! {
    /// Everything is dropped both ways, and sockets stay open.
    pub(crate) struct Blackhole {}
}

impl Spec for Blackhole {
    const NAME: &str = "blackhole";
    const REACH: Reach = Reach::Connections;
    const OWN_PROXY: bool = true;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "a black hole".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(ToxicSpec::blackhole(""), Sign::Silent)
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
