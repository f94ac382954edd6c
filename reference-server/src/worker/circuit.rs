//! The circuit breaker between a worker and Redis. Pure: the time is told.
//!
//! Commands that keep failing are not sent again and again: after a few failures in a row, or one
//! that says that Redis is known to be away, the circuit opens. An open circuit takes no new tasks
//! and does not keep hold of those in hand, so that a worker with a better connection gets them.
//! After a pause one round trip is tried; it closes the circuit, or the pause begins anew and
//! longer. **Source:** M. Nygard, Release It! (circuit breaker).

use std::time::{Duration, Instant};

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// Pauses: short, for every answer in hand waits for the end of the last one.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_millis(400);

/// Closed while all is well.
#[derive(Default)]
pub(super) struct Circuit {
    failures: u32,
    open: Option<Open>,
}

struct Open {
    try_at: Instant,
    pause: Duration,
    trying: bool,
}

/// What one round trip changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// The circuit is open from now on.
    Opened,
    /// It is closed again.
    Closed,
}

impl Circuit {
    /// Whether round trips are sent as usual.
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// When one is to be tried; `None` while the circuit is closed or a try is under way.
    pub(super) fn try_at(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| !open.trying);
        open.map(|open| open.try_at)
    }

    /// One is tried now.
    pub(super) fn try_now(&mut self) {
        if let Some(open) = &mut self.open {
            open.trying = true;
        }
    }

    /// A round trip came back well.
    pub(super) fn worked(&mut self) -> Change {
        self.failures = 0;
        match self.open.take() {
            Some(_) => Change::Closed,
            None => Change::None,
        }
    }

    /// A round trip failed; `hopeless` where nothing was even sent.
    pub(super) fn failed(&mut self, hopeless: bool, now: Instant) -> Change {
        if let Some(open) = &mut self.open {
            // Those that were on their way when the circuit opened say nothing new.
            if open.trying {
                open.pause = (open.pause * 2).min(LONGEST);
                open.try_at = now + open.pause;
                open.trying = false;
            }
            return Change::None;
        }
        self.failures += 1;
        if !hopeless && self.failures < FAILURES {
            return Change::None;
        }
        self.open = Some(Open {
            try_at: now + FIRST,
            pause: FIRST,
            trying: false,
        });
        Change::Opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_and_one_success_between_does_not() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        for _ in 0..4 {
            assert_eq!(circuit.failed(false, now), Change::None);
        }
        assert_eq!(circuit.worked(), Change::None);
        for _ in 0..4 {
            assert_eq!(circuit.failed(false, now), Change::None);
        }
        assert!(circuit.is_closed());
        assert_eq!(circuit.failed(false, now), Change::Opened);
        assert!(!circuit.is_closed());
    }

    #[test]
    fn an_absent_redis_opens_it_at_once() {
        let mut circuit = Circuit::default();
        assert_eq!(circuit.failed(true, Instant::now()), Change::Opened);
    }

    #[test]
    fn each_failed_try_doubles_the_pause_up_to_a_bound_and_one_that_works_closes_it() {
        let (mut circuit, mut now) = (Circuit::default(), Instant::now());
        circuit.failed(true, now);
        for pause_ms in [100, 200, 400, 400] {
            let due = circuit.try_at().unwrap();
            assert_eq!(due - now, Duration::from_millis(pause_ms));
            now = due;
            circuit.try_now();
            assert_eq!(circuit.try_at(), None, "one try at a time");
            assert_eq!(circuit.failed(false, now), Change::None);
        }
        circuit.try_now();
        assert_eq!(circuit.worked(), Change::Closed);
        assert!(circuit.is_closed());
    }

    #[test]
    fn a_late_failure_of_before_does_not_put_the_try_off() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        circuit.failed(true, now);
        let due = circuit.try_at();
        circuit.failed(false, now + Duration::from_millis(50));
        assert_eq!(circuit.try_at(), due);
    }
}
