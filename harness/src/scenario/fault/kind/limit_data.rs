//! Fault `limit_data`.

use fault_proxy::ToxicSpec;

use super::spec::{COUNTS, Mechanism, Reach, Sign, Spec, TOXIC};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Count, keys};
use crate::units::print_bytes;

keys! {
    /// Connections end after so many bytes.
    pub(crate) struct LimitData {
        /// a connection ends after so many.
        bytes "bytes": Count<u64> => "write after how many bytes a connection ends: bytes = 4096", COUNTS;
    }
}

impl Spec for LimitData {
    const NAME: &str = "limit_data";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        format!("cut after {}", print_bytes(self.bytes))
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(
            ToxicSpec::limit_data("", TOXIC, self.bytes),
            Sign::Counted { probes: true },
        )
    }
}
