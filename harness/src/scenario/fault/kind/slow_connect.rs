//! Fault `slow_connect`.

use fault_proxy::ToxicSpec;

use super::spec::{DELAYS, Mechanism, Reach, Sign, Spec, ms};
use crate::scenario::keys::{Time, keys};
use crate::units::print_us;

keys! {
    /// New connections reach their upstream later.
    pub(crate) struct SlowConnect {
        /// before a new connection goes on.
        delay_us "delay": Time => "write how long a new connection waits: delay = \"2s\"", DELAYS;
    }
}

impl Spec for SlowConnect {
    const NAME: &str = "slow_connect";
    const REACH: Reach = Reach::Connections;
    const OWN_PROXY: bool = true;

    fn effect(&self) -> String {
        format!("connecting {} late", print_us(self.delay_us))
    }

    fn mechanism(&self) -> Mechanism {
        let delay_ms = ms(self.delay_us);
        let sign = Sign::Late {
            least_ms: delay_ms,
            most_ms: delay_ms,
        };
        Mechanism::Toxic(ToxicSpec::slow_connect("", delay_ms), sign)
    }
}
