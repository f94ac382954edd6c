//! Fault `timeout`.

use std::time::Duration;

use fault_proxy::ToxicSpec;

use super::spec::{Mechanism, Reach, Sign, Spec, TIMES, TOXIC, ms};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Time, keys};

keys! {
    /// Data is dropped, and connections end after a silence.
    pub(crate) struct Timeout {
        /// connections end after so much silence; 0s is never.
        timeout_us "timeout": Time = Duration::ZERO, TIMES;
    }
}

impl Spec for Timeout {
    const NAME: &str = "timeout";
    const REACH: Reach = Reach::Bytes(Streams::Both);
    const ENDS_CONNECTIONS: bool = true;

    fn effect(&self) -> String {
        "a black hole".to_owned()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(
            ToxicSpec::timeout("", TOXIC, ms(self.timeout_us)),
            Sign::Silent,
        )
    }

    fn stops_everything(&self) -> bool {
        true
    }
}
