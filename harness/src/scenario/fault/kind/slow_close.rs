//! Fault `slow_close`.

use fault_proxy::ToxicSpec;

use super::spec::{DELAYS, Mechanism, Reach, Sign, Spec, TOXIC, ms};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Time, keys};
use crate::units::print_us;

keys! {
    /// The end of a connection arrives later.
    pub(crate) struct SlowClose {
        /// the end arrives this much later.
        delay_us "delay": Time => "write how much later the end arrives: delay = \"2s\"", DELAYS;
    }
}

impl Spec for SlowClose {
    const NAME: &str = "slow_close";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);

    fn effect(&self) -> String {
        format!("closing {} late", print_us(self.delay_us))
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(
            ToxicSpec::slow_close("", TOXIC, ms(self.delay_us)),
            Sign::Counted { probes: true },
        )
    }
}
