//! This module remembers the last second of the counters.
//!
//! **In:** one look every 250 ms. **Out:** what arrived, and how fast, over the last four looks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::process_cpu_ns;
use crate::record::counters::{Counters, Recent};
use crate::record::histogram::SparseHistogram;
use crate::stage::Stage;
use crate::units::{US_PER_S, rounded};

/// Looks that make a second.
const LOOKS: usize = 4;
const NS_PER_US: f64 = 1e3;

/// Counts at one look.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    at_us: u64,
    sent: u64,
    completed: u64,
    opened: u64,
    tokens: u64,
    own_cpu_ns: u64,
}

/// What happened in a second, as the last four looks have it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub sent: u64,
    pub completed: u64,
    pub connects: u64,
    pub tokens: u64,
    /// Processors in use by this process.
    pub own_cores: f64,
}

/// The last second.
#[derive(Debug, Default)]
pub(super) struct History {
    /// One more than [`LOOKS`]: the first is where the second began.
    counts: VecDeque<Counts>,
    recents: VecDeque<Recent>,
}

impl History {
    /// From the moment of the first look on; nothing has happened before it.
    pub(super) fn from(at_us: u64) -> Self {
        let begin = Counts {
            at_us,
            own_cpu_ns: process_cpu_ns(),
            ..Counts::default()
        };
        Self {
            counts: VecDeque::from([begin]),
            recents: VecDeque::new(),
        }
    }

    pub(super) fn look(&mut self, counters: &Counters, recent: Recent, at_us: u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.counts.push_back(Counts {
            at_us,
            sent: read(&counters.sent),
            completed: read(&counters.completed),
            opened: read(&counters.opened),
            tokens: read(&counters.tokens),
            own_cpu_ns: process_cpu_ns(),
        });
        self.recents.push_back(recent);
        if self.counts.len() > LOOKS + 1 {
            self.counts.pop_front();
        }
        if self.recents.len() > LOOKS {
            self.recents.pop_front();
        }
    }

    /// What happened in the last second.
    pub(super) fn rates(&self) -> Rates {
        let (Some(first), Some(last)) = (self.counts.front(), self.counts.back()) else {
            return Rates::default();
        };
        let passed_us = last.at_us.saturating_sub(first.at_us);
        if passed_us == 0 {
            return Rates::default();
        }
        let seconds = passed_us as f64 / US_PER_S as f64;
        let rate = |from: u64, to: u64| rounded(to.saturating_sub(from) as f64 / seconds);
        let own_ns = last.own_cpu_ns.saturating_sub(first.own_cpu_ns) as f64;
        Rates {
            sent: rate(first.sent, last.sent),
            completed: rate(first.completed, last.completed),
            connects: rate(first.opened, last.opened),
            tokens: rate(first.tokens, last.tokens),
            own_cores: own_ns / NS_PER_US / passed_us as f64,
        }
    }

    /// Latencies of the stage that arrived in the last second.
    pub(super) fn stage(&self, stage: Stage) -> SparseHistogram {
        self.merged(|recent| &recent.response[stage.index()])
    }

    /// The latest look alone.
    pub(super) fn latest(&self, stage: Stage) -> Option<&SparseHistogram> {
        let recent = self.recents.back()?;
        Some(&recent.response[stage.index()])
    }

    pub(super) fn lateness(&self) -> SparseHistogram {
        self.merged(|recent| &recent.lateness)
    }

    fn merged(&self, pick: impl Fn(&Recent) -> &SparseHistogram) -> SparseHistogram {
        let mut all = SparseHistogram::default();
        for recent in &self.recents {
            all.merge(pick(recent));
        }
        all
    }
}
