//! Fault `idle_timeout`.

use fault_proxy::ToxicSpec;

use super::spec::{DELAYS, Mechanism, Reach, Sign, Spec, ms};
use crate::scenario::keys::{Time, keys};
use crate::units::print_us;

keys! {
    /// Connections end after so long without a byte.
    pub(crate) struct IdleTimeout {
        /// after this much silence.
        timeout_us "timeout": Time => "write after how much silence a connection is closed: timeout = \"60s\"", DELAYS;
    }
}

impl Spec for IdleTimeout {
    const NAME: &str = "idle_timeout";
    const REACH: Reach = Reach::Connections;
    const OWN_PROXY: bool = true;
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        format!("cut after {} of silence", print_us(self.timeout_us))
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(
            ToxicSpec::idle_timeout("", ms(self.timeout_us)),
            Sign::Cut {
                after_ms: ms(self.timeout_us),
            },
        )
    }

    fn acts_after_us(&self) -> u64 {
        self.timeout_us
    }
}
