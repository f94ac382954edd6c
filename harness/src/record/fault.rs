//! This module holds what is known of a fault while it happens and afterwards.
//!
//! **In:** the fault driver's stamps. **Out:** [`FaultStamps`] for the result, and the
//! [`FaultBoard`] on which session lanes read which fault a message has touched.
//!
//! **Units:** microseconds since load start.

use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every moment of one fault, as far as it got. Facts only; judged elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FaultStamps {
    /// Just before the call that starts the fault.
    pub injecting_us: Option<u64>,
    /// That call was acknowledged.
    pub injected_us: Option<u64>,
    /// A probe through the faulted path met the fault.
    pub confirmed_us: Option<u64>,
    /// Just before the call that ends the fault.
    pub healing_us: Option<u64>,
    /// That call was acknowledged.
    pub healed_us: Option<u64>,
    /// A probe through the path worked again.
    pub heal_confirmed_us: Option<u64>,
    /// The target's `/readyz` turned red.
    pub readiness_red_us: Option<u64>,
    /// It turned green again.
    pub readiness_green_us: Option<u64>,
    /// The target has a `/readyz` that was green before the fault.
    pub readiness_watched: bool,
    /// How far the machine itself stalled between the planned moment and the injection.
    pub machine_pause_us: u64,
    /// What went wrong, in one sentence.
    pub problem: Option<String>,
}

/// Which faults are in force: written by the driver, read by every session lane.
///
/// A fault is in force from `injecting_us` until `heal_confirmed_us` (or for ever).
#[derive(Debug, Default)]
pub(crate) struct FaultBoard {
    slots: Vec<FaultSlot>,
}

#[derive(Debug)]
struct FaultSlot {
    from_us: AtomicU64,
    to_us: AtomicU64,
}

impl FaultBoard {
    /// A board for that many planned faults, at most 254.
    pub(crate) fn new(faults: usize) -> Self {
        let slot = || FaultSlot {
            from_us: AtomicU64::new(u64::MAX),
            to_us: AtomicU64::new(u64::MAX),
        };
        Self {
            slots: (0..faults).map(|_| slot()).collect(),
        }
    }

    /// The fault is about to be injected.
    pub(crate) fn begin(&self, fault: usize, at_us: u64) {
        if let Some(slot) = self.slots.get(fault) {
            slot.from_us.store(at_us, Ordering::Release);
        }
    }

    /// The fault is over, confirmed.
    pub(crate) fn end(&self, fault: usize, at_us: u64) {
        if let Some(slot) = self.slots.get(fault) {
            slot.to_us.store(at_us, Ordering::Release);
        }
    }

    /// The first fault that any part of `from_us..=to_us` touched.
    pub(crate) fn touched(&self, from_us: u64, to_us: u64) -> Option<usize> {
        (0..self.slots.len()).find(|&fault| self.touches(fault, from_us, to_us))
    }

    /// When a fault began; `u64::MAX`: it has not.
    pub(crate) fn began_us(&self, fault: usize) -> u64 {
        let slot = self.slots.get(fault);
        slot.map_or(u64::MAX, |slot| slot.from_us.load(Ordering::Acquire))
    }

    /// Whether that fault touched any part of `from_us..=to_us`.
    pub(crate) fn touches(&self, fault: usize, from_us: u64, to_us: u64) -> bool {
        self.slots.get(fault).is_some_and(|slot| {
            slot.from_us.load(Ordering::Acquire) <= to_us
                && from_us <= slot.to_us.load(Ordering::Acquire)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_flight_when_a_fault_begins_belongs_to_it() {
        let board = FaultBoard::new(2);
        board.begin(1, 100);
        board.end(1, 200);
        assert_eq!(board.touched(50, 99), None);
        assert_eq!(board.touched(50, 100), Some(1));
        assert_eq!(board.touched(200, 300), Some(1));
        assert_eq!(board.touched(201, 300), None);
    }
}
