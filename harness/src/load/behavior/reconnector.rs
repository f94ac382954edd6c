//! This module is the client that comes and goes: a chatter that ends its session now and then and
//! comes back with a new token.
//!
//! How long it stays is drawn evenly from half to one and a half times the plan's time. It
//! leaves politely: outstanding answers first, for a bounded time (see `load::client`).

use super::chatter::Chatter;
use crate::plan::LoadPlan;
use crate::plan::seed::{Purpose, Stream};
use crate::plan::visit::Visit;

/// Ends its session about every so often.
#[derive(Debug)]
pub(in crate::load) struct Reconnector {
    pub(super) chatter: Chatter,
    every_us: u64,
    leave_us: u64,
    stream: Stream,
}

impl Reconnector {
    pub(super) fn new(seed: u64, load: &LoadPlan, visit: &Visit, every_us: u64) -> Self {
        Self {
            chatter: Chatter::new(seed, load, visit),
            every_us,
            leave_us: u64::MAX,
            stream: Stream::new(seed, Purpose::Leaving, visit.number),
        }
    }

    pub(super) fn opened(&mut self, at_us: u64) {
        let stay_us = self.every_us / 2 + self.stream.below(self.every_us.max(1));
        self.leave_us = at_us.saturating_add(stay_us);
    }

    pub(super) fn leave_us(&self) -> u64 {
        self.leave_us
    }
}
