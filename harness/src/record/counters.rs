//! This module counts what can be watched while a run is under way.
//!
//! **In:** increments from every thread. **Out:** a picture of now, for the live block and for
//! Prometheus. The verdict never comes from here: the [`super::recording::Recording`] is the truth.
//!
//! **Units:** counts since load start, unless a gauge; microseconds.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::histogram::SparseHistogram;
use super::used::Used;
use crate::scenario::expectation::{Outcome, Quantity};
use crate::stage::Stage;

/// Counters and gauges of a run, shared by all its threads.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Sockets open now, and the most at once.
    pub open: AtomicU64,
    pub peak_open: AtomicU64,
    /// Clients between a close and `connected` again, now.
    pub reconnecting: AtomicU64,
    pub opened: AtomicU64,
    pub tokens: AtomicU64,
    pub clients_failed: AtomicU64,
    /// Messages: distinct ones intended, and their ends.
    pub sent: AtomicU64,
    pub completed: AtomicU64,
    pub refused: AtomicU64,
    pub unanswered: AtomicU64,
    pub lost: AtomicU64,
    pub duplicated: AtomicU64,
    pub out_of_order: AtomicU64,
    pub unexpected: AtomicU64,
    /// Copies of messages that never came to a member of their conversation.
    pub unheard: AtomicU64,
    /// Refusals that were or will be tried again.
    pub unavailable: AtomicU64,
    /// Closes by the server or the network, by code; written to once a close.
    cut: Mutex<BTreeMap<u16, u64>>,
    /// Oldest intended send that has no final answer, microseconds since load start, per lane;
    /// `u64::MAX` while nothing waits. Refreshed once a second.
    pub oldest_us: Vec<AtomicU64>,
    /// Bytes that each lane read and wrote on its clients' sockets so far. Refreshed a few times a second.
    pub read_bytes: Vec<AtomicU64>,
    pub written_bytes: Vec<AtomicU64>,
    /// How often the thread of each lane was woken.
    pub lane_wakes: Vec<AtomicU64>,
    /// Busy share of each lane over the last second, in thousandths.
    pub lane_busy_permille: Vec<AtomicU64>,
    /// What the processes of the run use.
    pub used: Used,
    /// Latencies by stage since the last look, by arrival; one lot for each [`Reader`].
    recent: Mutex<[Recent; 2]>,
}

/// Who looks at the latencies of the moment; each sees every one of them once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The live view.
    View,
    /// The guard that ends a run early.
    Guard,
}

/// Latencies that arrived since a reader last looked.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recent {
    pub response: [SparseHistogram; Stage::COUNT],
    /// Those of them that no fault touched.
    pub calm: [SparseHistogram; Stage::COUNT],
    pub lateness: SparseHistogram,
}

impl Recent {
    /// Adds one latency.
    pub(crate) fn record(&mut self, stage: Stage, touched: bool, response_us: u64) {
        self.response[stage.index()].record(response_us);
        if !touched {
            self.calm[stage.index()].record(response_us);
        }
    }

    /// Adds those of another thread.
    pub(crate) fn merge(&mut self, other: &Self) {
        let lots = [
            (&mut self.response, &other.response),
            (&mut self.calm, &other.calm),
        ];
        for (mine, theirs) in lots {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                mine.merge(theirs);
            }
        }
        self.lateness.merge(&other.lateness);
    }
}

impl Counters {
    /// Counters for that many lanes.
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            oldest_us: (0..lanes).map(|_| AtomicU64::new(u64::MAX)).collect(),
            read_bytes: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
            written_bytes: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
            lane_wakes: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
            lane_busy_permille: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
            ..Self::default()
        }
    }

    /// Messages of a column; `None` of what is known only afterwards.
    pub(crate) const fn of(&self, outcome: Outcome) -> Option<&AtomicU64> {
        match outcome {
            Outcome::Sent => Some(&self.sent),
            Outcome::Completed => Some(&self.completed),
            Outcome::Refused => Some(&self.refused),
            Outcome::Unanswered => Some(&self.unanswered),
            Outcome::Lost => Some(&self.lost),
            Outcome::Duplicated => Some(&self.duplicated),
            Outcome::OutOfOrder => Some(&self.out_of_order),
            Outcome::Unexpected => Some(&self.unexpected),
            Outcome::Unheard => Some(&self.unheard),
            Outcome::Pending | Outcome::Late => None,
        }
    }

    /// What is counted, since load start; `None` where it is known only afterwards.
    pub(crate) fn count(&self, what: Quantity) -> Option<f64> {
        let count = |counter: &AtomicU64| Some(counter.load(Ordering::Relaxed) as f64);
        match what {
            Quantity::Delivery { outcome } => self.of(outcome).and_then(count),
            Quantity::Closes { code } => {
                let closes = self.cut().get(&code).copied();
                Some(closes.unwrap_or(0) as f64)
            }
            Quantity::CutSessions => {
                let cut: u64 = self.cut().values().sum();
                Some(cut as f64)
            }
            Quantity::FailedClients => count(&self.clients_failed),
            Quantity::PeakOpen => count(&self.peak_open),
            Quantity::Latency { .. }
            | Quantity::Impact
            | Quantity::Detect
            | Quantity::Recovery
            | Quantity::BacklogDrain
            | Quantity::Server { .. } => None,
        }
    }

    /// Messages that have been intended and have no end yet.
    pub(crate) fn in_flight(&self) -> u64 {
        let ends = [&self.completed, &self.refused, &self.unanswered, &self.lost];
        // The ends first: what is intended meanwhile would be missing.
        let ended: u64 = ends.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        self.sent.load(Ordering::Relaxed).saturating_sub(ended)
    }

    /// How often the threads of sessions were woken so far.
    pub(crate) fn wakes(&self) -> u64 {
        let wakes = self.lane_wakes.iter();
        wakes.map(|of| of.load(Ordering::Relaxed)).sum()
    }

    /// Bytes that were read and written on sockets so far.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        let sum = |lanes: &[AtomicU64]| lanes.iter().map(|of| of.load(Ordering::Relaxed)).sum();
        (sum(&self.read_bytes), sum(&self.written_bytes))
    }

    /// A socket reached `connected`.
    pub(crate) fn socket_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak_open.fetch_max(open, Ordering::Relaxed);
    }

    /// A socket that had been open ended.
    pub(crate) fn socket_ended(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// An open socket was cut by the server or the network.
    pub(crate) fn socket_cut(&self, code: u16) {
        self.sockets_cut(code, 1);
    }

    /// So many were.
    pub(super) fn sockets_cut(&self, code: u16, count: u64) {
        if let (Ok(mut cut), true) = (self.cut.lock(), count > 0) {
            *cut.entry(code).or_insert(0) += count;
        }
    }

    /// Closes by the server or the network so far, by code.
    pub(crate) fn cut(&self) -> BTreeMap<u16, u64> {
        self.cut.lock().map(|cut| cut.clone()).unwrap_or_default()
    }

    /// Adds a lane's latencies since it last did; lanes do this a few times a second. Nobody waits for anybody here: of a
    /// lane that stops in the middle the run would have to wait for ever. `false`: another is at it, ask again.
    pub(crate) fn add_recent(&self, add: impl Fn(&mut Recent)) -> bool {
        let recent = self.recent.try_lock();
        recent.is_ok_and(|mut recent| {
            recent.iter_mut().for_each(add);
            true
        })
    }

    /// Takes what arrived since this reader's last call; nothing while a lane adds to it.
    pub(crate) fn take_recent(&self, reader: Reader) -> Recent {
        let taken = self.recent.try_lock().ok();
        taken.map_or_else(Recent::default, |mut recent| {
            std::mem::take(&mut recent[reader as usize])
        })
    }
}
