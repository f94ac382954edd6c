//! Fault `latency`.

use std::time::Duration;

use fault_proxy::ToxicSpec;

use super::spec::{DELAYS, Mechanism, Reach, Sign, Spec, TIMES, TOXIC, ms};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Time, keys};
use crate::scenario::problem::Complaint;
use crate::units::print_us;

keys! {
    /// Everything arrives later.
    pub(crate) struct Latency {
        /// everything arrives this much later.
        latency_us "latency": Time => "write how much later everything arrives: latency = \"800ms\"", DELAYS;
        /// more or less by up to this.
        jitter_us "jitter": Time = Duration::ZERO, TIMES;
    }
}

impl Spec for Latency {
    const NAME: &str = "latency";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);

    fn effect(&self) -> String {
        match self.jitter_us {
            0 => format!("slower by {}", print_us(self.latency_us)),
            jitter_us => format!(
                "slower by {} ± {}",
                print_us(self.latency_us),
                print_us(jitter_us)
            ),
        }
    }

    fn mechanism(&self) -> Mechanism {
        let (latency_ms, jitter_ms) = (ms(self.latency_us), ms(self.jitter_us));
        let sign = Sign::Late {
            least_ms: latency_ms.saturating_sub(jitter_ms),
            most_ms: latency_ms.saturating_add(jitter_ms),
        };
        Mechanism::Toxic(ToxicSpec::latency("", TOXIC, latency_ms, jitter_ms), sign)
    }

    fn delays_us(&self) -> u64 {
        self.latency_us
    }

    fn check(&self) -> Result<(), (&'static str, Complaint)> {
        if self.jitter_us <= self.latency_us {
            return Ok(());
        }
        let complaint = Complaint::new("larger than the latency it varies")
            .hint("nothing can arrive before it was sent: keep jitter at or below latency");
        Err(("jitter", complaint))
    }
}
