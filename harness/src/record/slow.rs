//! This module keeps of the answers that a fault touched what tells, later, when the first of them was too slow.
//!
//! **In:** intended send and end of each message that a fault touched. **Out:** from which moment on one had been
//! awaited for longer than a tolerance, for any tolerance: it is known only when the run is over.
//!
//! An answer is out of tolerance from the moment at which it has been awaited for that long, whenever it comes: that
//! is when its client could have noticed. Who was overdue already when the fault began says nothing of the fault.
//!
//! Bounded: a message matters only if none like it was asked earlier. Those asked in the fault are put together by
//! their response time; those in flight as it began by how long they had been awaited, and there the slowest counts.
//! Classes are an eighth of an octave wide, so that a response time is told apart to 9 %.
//!
//! **Units:** microseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Classes of an octave.
const CLASSES: f64 = 8.0;

/// One message: when it was intended, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wait {
    intended_us: u64,
    response_us: u64,
}

/// The waits of one fault that may have been the first to be too long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlowWaits {
    /// Asked while the fault was in force, by response time: the earliest.
    asked: BTreeMap<u16, Wait>,
    /// In flight when it began, by the time awaited until then: the slowest.
    in_flight: BTreeMap<u16, Wait>,
}

fn class(us: u64) -> u16 {
    let class = ((us.max(1) as f64).log2() * CLASSES).floor();
    u16::try_from(crate::units::rounded(class)).unwrap_or(u16::MAX)
}

impl SlowWaits {
    /// A message that the fault touched, which began at `from_us`.
    pub(crate) fn add(&mut self, from_us: u64, (intended_us, ended_us): (u64, u64)) {
        let wait = Wait {
            intended_us,
            response_us: ended_us.saturating_sub(intended_us),
        };
        match from_us.checked_sub(intended_us) {
            Some(awaited_us @ 1..) => self.keep_slowest(class(awaited_us), wait),
            _ => self.keep_earliest(wait),
        }
    }

    fn keep_earliest(&mut self, wait: Wait) {
        let kept = self.asked.entry(class(wait.response_us)).or_insert(wait);
        // Of those asked at once the slowest.
        if (wait.intended_us, kept.response_us) < (kept.intended_us, wait.response_us) {
            *kept = wait;
        }
    }

    fn keep_slowest(&mut self, class: u16, wait: Wait) {
        let kept = self.in_flight.entry(class).or_insert(wait);
        // Of those that took as long the first.
        if (wait.response_us, kept.intended_us) > (kept.response_us, wait.intended_us) {
            *kept = wait;
        }
    }

    /// Adds what another thread saw.
    pub(crate) fn merge(&mut self, other: Self) {
        other
            .asked
            .into_values()
            .for_each(|wait| self.keep_earliest(wait));
        for (class, wait) in other.in_flight {
            self.keep_slowest(class, wait);
        }
    }

    /// The first moment from `from_us` on at which one had been awaited for longer than `tolerance_us`.
    pub(crate) fn first_past(&self, from_us: u64, tolerance_us: u64) -> Option<u64> {
        let waits = self.asked.values().chain(self.in_flight.values());
        let slow = waits.filter(|wait| wait.response_us > tolerance_us);
        let passed = slow.map(|wait| wait.intended_us.saturating_add(tolerance_us));
        passed.filter(|passed_us| *passed_us >= from_us).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FROM_US: u64 = 20_000_000;
    const TOLERANCE_US: u64 = 500_000;

    fn of(waits: &[(u64, u64)]) -> SlowWaits {
        let mut all = SlowWaits::default();
        for &(intended_us, response_us) in waits {
            all.add(FROM_US, (intended_us, intended_us + response_us));
        }
        all
    }

    fn first(waits: &[(u64, u64)]) -> Option<u64> {
        of(waits).first_past(FROM_US, TOLERANCE_US)
    }

    #[test]
    fn an_answer_counts_from_the_moment_it_was_overdue_however_late_it_came() {
        assert_eq!(first(&[(21_000_000, 499_000), (21_100_000, 500_000)]), None);
        assert_eq!(first(&[(21_000_000, 9_000_000)]), Some(21_500_000));
        let quicker = [(21_000_000, 9_000_000), (20_900_000, 501_000)];
        assert_eq!(first(&quicker), Some(21_400_000));
    }

    #[test]
    fn who_was_in_flight_counts_unless_overdue_already() {
        assert_eq!(first(&[(19_900_000, 800_000)]), Some(20_400_000));
        assert_eq!(first(&[(19_000_000, 8_000_000)]), None);
        // Asked later than another, and yet the first that the fault made late.
        assert_eq!(
            first(&[(19_000_000, 8_000_000), (20_100_000, 700_000)]),
            Some(20_600_000)
        );
    }

    proptest! {
        #[test]
        fn few_are_kept_and_the_first_is_found_to_a_class(
            waits in prop::collection::vec((18_000_000_u64..30_000_000, 1_000_u64..60_000_000), 1..400),
            tolerance_us in 10_000_u64..5_000_000,
        ) {
            let touched: Vec<(u64, u64)> = waits.into_iter().filter(|(at, us)| at + us >= FROM_US).collect();
            let (left, right) = touched.split_at(touched.len() / 2);
            let mut all = of(left);
            all.merge(of(right));
            prop_assert_eq!(&all.asked, &of(&touched).asked);
            prop_assert!(all.asked.len() + all.in_flight.len() <= 2 * 8 * 30);
            let exact = |tolerance_us: u64, slower_us: u64| {
                let slow = touched.iter().filter(|(_, us)| *us > slower_us);
                slow.map(|(at, _)| at + tolerance_us).filter(|at| *at >= FROM_US).min()
            };
            // What is slower than its class is wide is never missed; nothing is made up.
            let found = all.first_past(FROM_US, tolerance_us);
            if let Some(found_us) = found {
                prop_assert!(exact(tolerance_us, tolerance_us).is_some_and(|first| first <= found_us));
            }
            let asked = touched.iter().filter(|(at, us)| *at >= FROM_US && *us > tolerance_us * 11 / 10);
            if let Some(asked_us) = asked.map(|(at, _)| at + tolerance_us).min() {
                prop_assert!(found.is_some_and(|found_us| found_us <= asked_us));
            }
        }
    }
}
