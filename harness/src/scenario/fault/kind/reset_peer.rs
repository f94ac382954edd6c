//! Fault `reset_peer`.

use std::time::Duration;

use fault_proxy::ToxicSpec;

use super::spec::{Mechanism, Reach, Sign, Spec, TIMES, TOXIC, ms};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Time, keys};

keys! {
    /// Connections are reset after their first data.
    pub(crate) struct ResetPeer {
        /// connections are reset this long after their first data.
        timeout_us "timeout": Time = Duration::ZERO, TIMES;
    }
}

impl Spec for ResetPeer {
    const NAME: &str = "reset_peer";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "reset".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        let after_ms = ms(self.timeout_us);
        let sign = Sign::Reset { after_ms };
        Mechanism::Toxic(ToxicSpec::reset_peer("", TOXIC, after_ms), sign)
    }
}
