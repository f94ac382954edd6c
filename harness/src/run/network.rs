//! This module follows what can be seen of the way between clients and target: connections that wait to be accepted, bytes on
//! the sockets.
//!
//! **In:** looks, one a second. **Out:** an [`AcceptBacklog`], a [`Traffic`].
//!
//! **Units:** microseconds since load start; connections; bytes.

use crate::environment::BacklogSample;
use crate::result::{AcceptBacklog, Traffic};
use crate::units;

/// A stretch shorter than this says nothing: lanes tell their bytes four times a second.
const STRETCH_US_MIN: u64 = 2 * units::US_PER_S;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Network {
    backlog: Option<AcceptBacklog>,
    /// Dropped by the listening sockets up to the last look.
    dropped: Option<u64>,
    steady_us: (u64, u64),
    first: Option<Look>,
    last: Option<Look>,
}

/// Read and written up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    at_us: u64,
    read_bytes: u64,
    written_bytes: u64,
}

impl Network {
    /// Bytes count within these bounds.
    pub(super) fn within(steady_us: (u64, u64)) -> Self {
        Self {
            steady_us,
            ..Self::default()
        }
    }

    /// The listening sockets as they are now. What they dropped before the first look is not of this run.
    pub(super) fn add_backlog(&mut self, now: Option<BacklogSample>) {
        let Some(now) = now else { return };
        // A socket that is new counts from 0.
        let grown = self.dropped.map_or(0, |before| {
            now.dropped.checked_sub(before).unwrap_or(now.dropped)
        });
        self.dropped = Some(now.dropped);
        let account = self.backlog.get_or_insert_default();
        account.dropped += grown;
        if account.limit == 0 || now.waiting > account.peak {
            (account.peak, account.limit) = (now.waiting, now.limit);
        }
    }

    /// Bytes up to now.
    pub(super) fn add_traffic(&mut self, at_us: u64, (read_bytes, written_bytes): (u64, u64)) {
        let (from_us, to_us) = self.steady_us;
        if at_us < from_us || at_us > to_us {
            return;
        }
        let look = Look {
            at_us,
            read_bytes,
            written_bytes,
        };
        self.first.get_or_insert(look);
        self.last = Some(look);
    }

    pub(super) const fn backlog(&self) -> Option<AcceptBacklog> {
        self.backlog
    }

    pub(super) fn traffic(&self) -> Option<Traffic> {
        let (first, last) = self.first.zip(self.last)?;
        let passed_us = last.at_us - first.at_us;
        let per_s = |from: u64, to: u64| {
            let bytes = to.saturating_sub(from) as f64;
            units::rounded(bytes * 1e6 / passed_us.max(1) as f64) as f64
        };
        (passed_us >= STRETCH_US_MIN).then(|| Traffic {
            read_bytes_per_s: per_s(first.read_bytes, last.read_bytes),
            written_bytes_per_s: per_s(first.written_bytes, last.written_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_in_the_steady_part_only() {
        let mut network = Network::within((5_000_000, 10_000_000));
        assert_eq!(network.traffic(), None);
        for second in 0..14_u64 {
            let ramp = u64::from(second < 5);
            network.add_traffic(
                second * 1_000_000,
                (second * 3_000 + ramp * 77, second * 100),
            );
        }
        let traffic = network.traffic().unwrap();
        assert_eq!(
            (traffic.read_bytes_per_s, traffic.written_bytes_per_s),
            (3_000.0, 100.0)
        );
    }

    #[test]
    fn what_was_dropped_before_the_run_is_not_of_it_and_a_new_socket_begins_anew() {
        let mut network = Network::default();
        network.add_backlog(None);
        assert_eq!(network.backlog(), None);
        let looks = [(3, 1_000), (90, 1_004), (5, 1_004), (0, 2)];
        for (waiting, dropped) in looks {
            network.add_backlog(Some(BacklogSample {
                waiting,
                limit: 128,
                dropped,
            }));
        }
        let expected = AcceptBacklog {
            peak: 90,
            limit: 128,
            dropped: 6,
        };
        assert_eq!(network.backlog(), Some(expected));
    }
}
