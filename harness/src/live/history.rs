//! This module remembers the last second of the counters.
//!
//! **In:** one look every 250 ms. **Out:** what arrived, and how fast, over the last four looks.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use crate::record::counters::{Counters, Recent};
use crate::record::histogram::SparseHistogram;
use crate::stage::Stage;

/// Looks that make a second.
const LOOKS: usize = 4;

/// Counts at one look.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    sent: u64,
    completed: u64,
}

/// The last second.
#[derive(Debug, Default)]
pub(super) struct History {
    /// One more than [`LOOKS`]: the first is where the second began.
    counts: VecDeque<Counts>,
    recents: VecDeque<Recent>,
}

impl History {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn look(&mut self, counters: &Counters, recent: Recent) {
        let counts = Counts {
            sent: counters.sent.load(Ordering::Relaxed),
            completed: counters.completed.load(Ordering::Relaxed),
        };
        if self.counts.is_empty() {
            self.counts.push_back(Counts::default());
        }
        self.counts.push_back(counts);
        self.recents.push_back(recent);
        if self.counts.len() > LOOKS + 1 {
            self.counts.pop_front();
        }
        if self.recents.len() > LOOKS {
            self.recents.pop_front();
        }
    }

    /// Messages sent and completed in the last second.
    pub(super) fn rates(&self) -> (u64, u64) {
        let (Some(first), Some(last)) = (self.counts.front(), self.counts.back()) else {
            return (0, 0);
        };
        (
            last.sent.saturating_sub(first.sent),
            last.completed.saturating_sub(first.completed),
        )
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
