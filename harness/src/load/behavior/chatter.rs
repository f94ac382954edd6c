//! This module is the client that talks: it sends on its schedule and stays.

use crate::plan::LoadPlan;
use crate::plan::arrivals::Arrivals;
use crate::plan::visit::Visit;

/// Sends messages as the plan intends them.
#[derive(Debug)]
pub(in crate::load) struct Chatter {
    arrivals: Arrivals,
}

impl Chatter {
    pub(super) fn new(seed: u64, load: &LoadPlan, visit: &Visit) -> Self {
        Self {
            arrivals: Arrivals::new(seed, &load.message, visit),
        }
    }

    pub(super) fn next_send_us(&self) -> u64 {
        self.arrivals.next_us().unwrap_or(u64::MAX)
    }

    pub(super) fn take_due(&mut self, now_us: u64) -> Option<u64> {
        self.arrivals.take_due(now_us)
    }

    pub(super) fn answered(&mut self, at_us: u64) -> bool {
        self.arrivals.answered(at_us)
    }
}
