//! This module holds what processes and the machine used at the last look.
//!
//! **In:** the sampler's and the monitor's looks, about once a second. **Out:** numbers for the live view; accounts are kept
//! elsewhere.
//!
//! **Units:** processors; bytes; shares of what there is.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::units;

/// What is stored while nothing is known.
const UNKNOWN: u64 = u64::MAX;

/// What was used, as far as it is known.
#[derive(Debug)]
pub(crate) struct Used {
    /// Thousandths of a processor, and bytes.
    server: [AtomicU64; 2],
    /// Thousandths of what there is, and thousandths of a processor that there are.
    machine: [AtomicU64; 2],
}

impl Default for Used {
    fn default() -> Self {
        let unknown = || [AtomicU64::new(UNKNOWN), AtomicU64::new(UNKNOWN)];
        Self {
            server: unknown(),
            machine: unknown(),
        }
    }
}

impl Used {
    /// Processors in use by the server, and its memory; `None` while there is none.
    pub(crate) fn set_server(&self, used: Option<(f64, u64)>) {
        store(
            &self.server,
            used.map(|(cores, bytes)| (thousandths(cores), bytes)),
        );
    }

    pub(crate) fn server(&self) -> Option<(f64, u64)> {
        load(&self.server).map(|(cores, bytes)| (cores as f64 / 1e3, bytes))
    }

    /// The share of the machine that is busy, and the processors that this process may use.
    pub(crate) fn set_machine(&self, used: Option<(f64, f64)>) {
        store(
            &self.machine,
            used.map(|(busy, cores)| (thousandths(busy), thousandths(cores))),
        );
    }

    pub(crate) fn machine(&self) -> Option<(f64, f64)> {
        load(&self.machine).map(|(busy, cores)| (busy as f64 / 1e3, cores as f64 / 1e3))
    }
}

fn thousandths(value: f64) -> u64 {
    units::rounded(value * 1e3)
}

fn store(to: &[AtomicU64; 2], pair: Option<(u64, u64)>) {
    let (first, second) = pair.unwrap_or((UNKNOWN, UNKNOWN));
    // One of each for a moment does no harm: it is shown, and nothing is decided by it.
    to[0].store(first, Ordering::Relaxed);
    to[1].store(second, Ordering::Relaxed);
}

fn load(from: &[AtomicU64; 2]) -> Option<(u64, u64)> {
    let [first, second] = from;
    let pair = (
        first.load(Ordering::Relaxed),
        second.load(Ordering::Relaxed),
    );
    (pair.0 != UNKNOWN && pair.1 != UNKNOWN).then_some(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_read_back_and_what_is_unknown_is_none() {
        let used = Used::default();
        assert_eq!((used.server(), used.machine()), (None, None));
        used.set_server(Some((0.38, 44_040_192)));
        used.set_machine(Some((0.875, 2.0)));
        assert_eq!(used.server(), Some((0.38, 44_040_192)));
        assert_eq!(used.machine(), Some((0.875, 2.0)));
        used.set_server(None);
        assert_eq!(used.server(), None);
    }
}
