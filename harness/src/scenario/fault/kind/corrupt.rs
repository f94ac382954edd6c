//! Fault `corrupt`.

use fault_proxy::ToxicSpec;

use super::spec::{COUNTS, Mechanism, Reach, Sign, Spec, TOXIC};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Count, keys};
use crate::units::print_bytes;

keys! {
    /// Now and then a bit of the data is flipped.
    pub(crate) struct Corrupt {
        /// of so many bytes one is damaged, on average.
        one_in "one_in": Count<u64> => "write of how many bytes one is damaged: one_in = 10000", 1..=*COUNTS.end();
    }
}

impl Spec for Corrupt {
    const NAME: &str = "corrupt";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);
    const OWN_PROXY: bool = true;
    const ENDS_CONNECTIONS: bool = true;
    const DAMAGES: bool = true;

    fn effect(&self) -> String {
        format!("damaged, one byte in {}", print_bytes(self.one_in))
    }

    fn mechanism(&self) -> Mechanism {
        let toxic = ToxicSpec::new("", "corrupt", TOXIC).with("one_in", self.one_in);
        Mechanism::Toxic(toxic, Sign::Counted { probes: true })
    }
}
