//! Fault `refuse`.

use fault_proxy::ToxicSpec;

use super::spec::{COUNTS, Mechanism, Reach, Sign, Spec};
use crate::scenario::keys::{Count, keys};

keys! {
    /// New connections are reset as they come.
    pub(crate) struct Refuse {
        /// the next so many; 0 is all.
        connections "connections": Count<u64> = 0, COUNTS;
    }
}

impl Spec for Refuse {
    const NAME: &str = "refuse";
    const REACH: Reach = Reach::Connections;
    const OWN_PROXY: bool = true;

    fn effect(&self) -> String {
        match self.connections {
            0 => "refusing connections".to_owned(),
            connections => format!("refusing {connections} connections"),
        }
    }

    fn mechanism(&self) -> Mechanism {
        let sign = match self.connections {
            0 => Sign::Reset { after_ms: 0 },
            // A probe would be one of those that are counted.
            _ => Sign::Counted { probes: false },
        };
        Mechanism::Toxic(ToxicSpec::refuse("", self.connections), sign)
    }
}
