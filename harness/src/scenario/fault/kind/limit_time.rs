//! Fault `limit_time`.

use fault_proxy::ToxicSpec;

use super::spec::{DELAYS, Mechanism, Reach, Sign, Spec, ms};
use crate::scenario::keys::{Time, keys};
use crate::units::print_us;

keys! {
    /// Connections end when they are so old.
    pub(crate) struct LimitTime {
        /// how long a connection lasts.
        time_us "time": Time => "write how long a connection lasts: time = \"30s\"", DELAYS;
    }
}

impl Spec for LimitTime {
    const NAME: &str = "limit_time";
    const REACH: Reach = Reach::Connections;
    const OWN_PROXY: bool = true;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        format!("cut after {}", print_us(self.time_us))
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(
            ToxicSpec::limit_time("", ms(self.time_us)),
            Sign::Cut {
                after_ms: ms(self.time_us),
            },
        )
    }

    fn acts_after_us(&self) -> u64 {
        self.time_us
    }
}
