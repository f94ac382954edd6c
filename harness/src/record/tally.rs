//! This module brings the live counters of one process of a load to the process that adds them up.
//!
//! **In:** [`Counters`] of one process, again and again. **Out:** a [`Tally`] each time; the difference of two of them is
//! added to the counters of the whole load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::counters::Counters;

/// The counters of one process at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// In the order of [`counts`].
    counts: Vec<u64>,
    /// The most sockets at once.
    peak_open: u64,
    /// Closes by the server or the network, by code.
    cut: BTreeMap<u16, u64>,
    /// In the order of [`gauges`], for each lane.
    lanes: Vec<Vec<u64>>,
}

/// What is added up over processes. A gauge, such as the open sockets, may fall.
fn counts(of: &Counters) -> [&AtomicU64; 15] {
    [
        &of.open,
        &of.reconnecting,
        &of.opened,
        &of.tokens,
        &of.clients_failed,
        &of.sent,
        &of.completed,
        &of.refused,
        &of.unanswered,
        &of.lost,
        &of.duplicated,
        &of.out_of_order,
        &of.unexpected,
        &of.unavailable,
        &of.unheard,
    ]
}

/// What each lane has for itself.
fn gauges(of: &Counters) -> [&Vec<AtomicU64>; 5] {
    [
        &of.oldest_us,
        &of.read_bytes,
        &of.written_bytes,
        &of.lane_wakes,
        &of.lane_busy_permille,
    ]
}

fn value(of: &AtomicU64) -> u64 {
    of.load(Ordering::Relaxed)
}

impl Tally {
    /// The counters now.
    pub(crate) fn of(counters: &Counters) -> Self {
        let gauges = gauges(counters);
        let lanes = 0..counters.oldest_us.len();
        Self {
            counts: counts(counters).into_iter().map(value).collect(),
            peak_open: value(&counters.peak_open),
            cut: counters.cut(),
            lanes: lanes
                .map(|lane| gauges.iter().map(|of| value(&of[lane])).collect())
                .collect(),
        }
    }

    /// The same when the process is gone: nothing is open there, and nothing waits.
    pub(crate) fn gone(&self) -> Self {
        let nothing = Self::of(&Counters::new(self.lanes.len()));
        let mut gone = self.clone();
        // Sockets open, and clients that are coming back.
        gone.counts.iter_mut().take(2).for_each(|gauge| *gauge = 0);
        gone.lanes = nothing.lanes;
        gone
    }

    /// Adds to the counters of the whole load what this process did since `before`. Its lanes are those from
    /// `first_lane` on.
    pub(crate) fn add_to(&self, whole: &Counters, before: &Self, first_lane: usize) {
        for (place, (mine, now)) in counts(whole).into_iter().zip(&self.counts).enumerate() {
            let before = before.counts.get(place).copied().unwrap_or(0);
            // Around zero where a gauge fell.
            mine.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
        // Those of all processes as they were last told, and at least what one of them had by itself.
        let open = value(&whole.open).max(self.peak_open);
        whole.peak_open.fetch_max(open, Ordering::Relaxed);
        for (code, now) in &self.cut {
            let before = before.cut.get(code).copied().unwrap_or(0);
            whole.sockets_cut(*code, now.saturating_sub(before));
        }
        for (lane, now) in (first_lane..).zip(&self.lanes) {
            for (gauge, now) in gauges(whole).into_iter().zip(now) {
                if let Some(gauge) = gauge.get(lane) {
                    gauge.store(*now, Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_several_processes_add_up_whichever_way_they_go() {
        let (whole, parts) = (Counters::new(3), [Counters::new(1), Counters::new(2)]);
        let mut before = [Tally::default(), Tally::default()];
        let mut look = || {
            for ((part, before), first_lane) in parts.iter().zip(&mut before).zip([0, 1]) {
                let now = Tally::of(part);
                now.add_to(&whole, before, first_lane);
                *before = now;
            }
            Tally::of(&whole)
        };
        parts[0].socket_opened();
        parts[1].socket_opened();
        parts[1].socket_opened();
        parts[1].lane_wakes[1].store(7, Ordering::Relaxed);
        parts[0].oldest_us[0].store(5, Ordering::Relaxed);
        let first = look();
        assert_eq!((first.counts[0], first.counts[2]), (3, 3));
        assert_eq!((first.lanes[2][3], first.lanes[0][0]), (7, 5));

        for _ in 0..2 {
            parts[1].socket_ended();
            parts[1].socket_cut(1006);
        }
        parts[0].socket_cut(1006);
        let second = look();
        assert_eq!((second.counts[0], second.counts[2]), (1, 3));
        assert_eq!(second.cut, BTreeMap::from([(1006, 3)]));
        assert_eq!(value(&whole.peak_open), 3);
        // Nothing new changes nothing.
        assert_eq!(look(), second);
        before[0].gone().add_to(&whole, &before[0], 0);
        let third = Tally::of(&whole);
        assert_eq!((third.counts[0], third.counts[2]), (0, 3));
        assert_eq!(third.lanes[0][0], u64::MAX);
    }
}
