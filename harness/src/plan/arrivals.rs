//! This module says when each message of a client should be sent.
//!
//! **In:** the plan's law of arrivals and the client's stay. **Out:** [`Arrivals`]: ascending
//! intended send times, from seed and client number alone. They do not depend on when a socket
//! opened or an answer came (the closed model excepted, which is defined by answers).
//!
//! **Units:** microseconds since load start.
//! **Source:** Schroeder, Wierman, Harchol-Balter, "Open versus closed" (NSDI 2006).

use super::seed::{Purpose, Stream};
use super::visit::Visit;
use super::{Arrival, MessagePlan};

/// The intended send times of one client's stay, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    law: Arrival,
    every_us: u64,
    end_us: u64,
    next_us: Option<u64>,
    stream: Stream,
}

impl Arrivals {
    /// The schedule of a stay, at its beginning.
    pub(crate) fn new(seed: u64, message: &MessagePlan, visit: &Visit) -> Self {
        let mut stream = Stream::new(seed, Purpose::Arrivals, visit.number);
        let offset = match message.arrival {
            Arrival::Poisson => stream.exponential_us(message.every_us),
            Arrival::Fixed | Arrival::Closed => stream.below(message.every_us),
        };
        let first = visit.start_us.saturating_add(offset);
        Self {
            law: message.arrival,
            every_us: message.every_us.max(1),
            end_us: visit.end_us,
            next_us: Some(first).filter(|&first| first < visit.end_us),
            stream,
        }
    }

    /// When the next message should be sent; `None` when there is none (in the closed model: none
    /// until the last one is answered).
    pub(crate) const fn next_us(&self) -> Option<u64> {
        self.next_us
    }

    /// Takes the next intended send if it lies at or before `now_us`.
    pub(crate) fn take_due(&mut self, now_us: u64) -> Option<u64> {
        let due = self.next_us.filter(|&due| due <= now_us)?;
        self.next_us = match self.law {
            Arrival::Poisson => Some(due + self.stream.exponential_us(self.every_us)),
            Arrival::Fixed => Some(due + self.every_us),
            Arrival::Closed => None,
        }
        .filter(|&next| next < self.end_us);
        Some(due)
    }

    /// Closed model: the last message has its answer, or never will; the next is due `every` later.
    /// No effect in the open models. Whether there is a next one because of it.
    pub(crate) fn answered(&mut self, at_us: u64) -> bool {
        if self.law != Arrival::Closed || self.next_us.is_some() {
            return false;
        }
        self.next_us = Some(at_us + self.every_us).filter(|&next| next < self.end_us);
        self.next_us.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Behavior;
    use super::*;
    use proptest::prelude::*;

    fn message(arrival: Arrival, every_us: u64) -> MessagePlan {
        MessagePlan {
            every_us,
            arrival,
            chunks: 3,
            length_min: 10,
            length_max: 20,
            retries: 5,
        }
    }

    fn visit(number: u32, start_us: u64, end_us: u64) -> Visit {
        Visit {
            number,
            place: number,
            client: number,
            start_us,
            end_us,
            behavior: Behavior::Chatter,
        }
    }

    fn all(mut arrivals: Arrivals) -> Vec<u64> {
        std::iter::from_fn(|| arrivals.take_due(u64::MAX)).collect()
    }

    #[test]
    fn a_fixed_schedule_keeps_its_beat_from_a_random_first_offset() {
        let times = all(Arrivals::new(
            7,
            &message(Arrival::Fixed, 1_000),
            &visit(2, 500, 10_500),
        ));
        assert_eq!(times.len(), 10);
        assert!((500..1_500).contains(&times[0]));
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1_000));
    }

    #[test]
    fn the_closed_model_waits_for_the_answer() {
        let mut arrivals =
            Arrivals::new(7, &message(Arrival::Closed, 1_000), &visit(0, 0, 1_000_000));
        assert!(arrivals.take_due(1_000).is_some());
        assert_eq!(arrivals.take_due(u64::MAX), None);
        arrivals.answered(5_000);
        assert_eq!(arrivals.next_us(), Some(6_000));
    }

    proptest! {
        #[test]
        fn times_ascend_within_the_stay_and_repeat_exactly(
            seed: u64, number in 0_u32..10_000, start in 0_u64..1_000_000, length in 0_u64..3_000_000,
            every in 1_000_u64..500_000, poisson: bool,
        ) {
            let law = if poisson { Arrival::Poisson } else { Arrival::Fixed };
            let stay = visit(number, start, start + length);
            let times = all(Arrivals::new(seed, &message(law, every), &stay));
            prop_assert!(times.iter().all(|time| (start..start + length).contains(time)));
            prop_assert!(times.is_sorted());
            prop_assert_eq!(times, all(Arrivals::new(seed, &message(law, every), &stay)));
        }

        #[test]
        fn taking_late_never_skips(seed: u64, step in 1_u64..200_000) {
            let plan = message(Arrival::Poisson, 20_000);
            let stay = visit(1, 0, 1_000_000);
            let mut arrivals = Arrivals::new(seed, &plan, &stay);
            let mut taken = Vec::new();
            for now in (0..=1_000_000 + step).step_by(usize::try_from(step).unwrap_or(1)) {
                while let Some(due) = arrivals.take_due(now) {
                    taken.push(due);
                }
            }
            prop_assert_eq!(taken, all(Arrivals::new(seed, &plan, &stay)));
        }
    }
}
