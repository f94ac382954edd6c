//! The time that one caller leaves between two of its round trips.
//!
//! What a round trip costs hardly depends on how much goes with it: a wake-up on either side and a write each. So
//! whoever has much to send lets it gather. The first of a quiet time goes at once, and what comes less often than
//! [`Gap::LEAST`] never waits.

use std::time::{Duration, Instant};

/// When the next round trip may begin.
#[derive(Debug)]
pub(crate) struct Gap {
    over_at: Instant,
}

impl Gap {
    /// From the beginning of one round trip to that of the next. Timers are a millisecond coarse, so it can be two.
    pub(crate) const LEAST: Duration = Duration::from_millis(1);

    /// The first may begin at once.
    pub(crate) fn none() -> Self {
        Self {
            over_at: Instant::now(),
        }
    }

    /// A round trip begins.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.over_at = now + Self::LEAST;
    }

    /// When the next may begin.
    pub(crate) fn over_at(&self) -> Instant {
        self.over_at
    }

    /// Waits until then. Dropping it loses nothing.
    pub(crate) async fn over(&self) {
        // A timer would round up what is past by a millisecond.
        if Instant::now() < self.over_at {
            tokio::time::sleep_until(self.over_at.into()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_goes_at_once_and_the_next_after_the_gap() {
        let mut gap = Gap::none();
        let start = Instant::now();
        gap.over().await;
        gap.begin(start);
        assert_eq!(gap.over_at(), start + Gap::LEAST);
        gap.over().await;
        assert!(start.elapsed() >= Gap::LEAST);
    }
}
