//! Fault `bandwidth`.

use fault_proxy::ToxicSpec;

use super::spec::{COUNTS, Mechanism, Reach, Sign, Spec, TOXIC};
use crate::scenario::fault::Streams;
use crate::scenario::keys::{Count, keys};

keys! {
    /// At most so much of each connection passes.
    pub(crate) struct Bandwidth {
        /// what passes of each connection, 1 KB = 1000 bytes; 0 stops it.
        kb_per_s "kb_per_s": Count<u64> => "write how much passes: kb_per_s = 100; 0 stops everything", COUNTS;
    }
}

impl Spec for Bandwidth {
    const NAME: &str = "bandwidth";
    const REACH: Reach = Reach::Bytes(Streams::Downstream);

    fn effect(&self) -> String {
        match self.kb_per_s {
            0 => "stalled".to_owned(),
            kb_per_s => format!("at most {kb_per_s} KB/s a connection"),
        }
    }

    fn mechanism(&self) -> Mechanism {
        let sign = match self.kb_per_s {
            0 => Sign::Silent,
            _ => Sign::Counted { probes: true },
        };
        Mechanism::Toxic(ToxicSpec::bandwidth("", TOXIC, self.kb_per_s), sign)
    }

    fn stops_everything(&self) -> bool {
        self.kb_per_s == 0
    }
}
