//! Fault `slicer`.

use std::time::Duration;

use fault_proxy::ToxicSpec;

use super::spec::{COUNTS, Mechanism, Reach, Sign, Spec, TIMES, TOXIC};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Count, Time, keys};
use crate::units::print_bytes;

keys! {
    /// Data arrives in small pieces.
    pub(crate) struct Slicer {
        /// length of a piece.
        piece_bytes "piece_bytes": Count<u64> => "write how long a piece is: piece_bytes = 20", 1..=*COUNTS.end();
        /// between two pieces.
        delay_us "delay": Time = Duration::ZERO, TIMES;
    }
}

impl Spec for Slicer {
    const NAME: &str = "slicer";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);

    fn effect(&self) -> String {
        format!("cut into pieces of {}", print_bytes(self.piece_bytes))
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Toxic(
            ToxicSpec::slicer("", TOXIC, self.piece_bytes, self.delay_us),
            Sign::Counted { probes: true },
        )
    }
}
