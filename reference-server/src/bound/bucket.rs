//! Token buckets: so many at once, and then so many per second.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    /// Tokens per second.
    pub(crate) per_s: f64,
    /// Tokens at most.
    pub(crate) burst: f64,
}

/// One bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(allowance: Allowance, now: Instant) -> Self {
        Self {
            left: allowance.burst,
            at: now,
        }
    }

    /// What is in it now.
    fn level(&self, allowance: Allowance, now: Instant) -> f64 {
        let grown = now.duration_since(self.at).as_secs_f64() * allowance.per_s;
        (self.left + grown).min(allowance.burst)
    }

    /// Takes one, or says how long it takes until there is one.
    pub(crate) fn take(&mut self, allowance: Allowance, now: Instant) -> Result<(), Duration> {
        self.wait(allowance, now)?;
        self.left = self.level(allowance, now) - 1.0;
        self.at = now;
        Ok(())
    }

    /// Whether there is one, and how long it takes until there is.
    pub(crate) fn wait(&self, allowance: Allowance, now: Instant) -> Result<(), Duration> {
        let missing = 1.0 - self.level(allowance, now);
        if missing <= 1e-9 {
            return Ok(());
        }
        let wait = Duration::try_from_secs_f64(missing / allowance.per_s);
        Err(wait.unwrap_or(Duration::MAX))
    }

    /// Whether forgetting it would change nothing.
    pub(crate) fn is_full(&self, allowance: Allowance, now: Instant) -> bool {
        self.level(allowance, now) >= allowance.burst
    }
}

/// A bucket for each of many, whose number is bounded: where there are too many, the fullest are
/// forgotten first.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    allowance: Allowance,
    most: usize,
    known: HashMap<K, Bucket>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// `most` buckets of that allowance.
    pub(crate) fn new(allowance: Allowance, most: usize) -> Self {
        Self {
            allowance,
            most,
            known: HashMap::new(),
        }
    }

    /// Takes one of `key`'s, or says how long it takes until there is one.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        let allowance = self.allowance;
        if self.known.len() >= self.most && !self.known.contains_key(&key) {
            self.forget(now);
        }
        let bucket = self.known.entry(key);
        bucket
            .or_insert_with(|| Bucket::full(allowance, now))
            .take(allowance, now)
    }

    /// Whether `key` has one, and how long it takes until it does.
    pub(crate) fn wait(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let bucket = self.known.get(key);
        bucket.map_or(Ok(()), |bucket| bucket.wait(self.allowance, now))
    }

    /// Makes room for a quarter of all, so that this is not done for each that comes.
    fn forget(&mut self, now: Instant) {
        let allowance = self.allowance;
        for share in [1.0, 0.75, 0.5, 0.25, 0.0] {
            self.known
                .retain(|_, bucket| bucket.level(allowance, now) < share * allowance.burst);
            if self.known.len() <= self.most / 4 * 3 {
                return;
            }
        }
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Allowance = Allowance {
        per_s: 10.0,
        burst: 10.0,
    };

    #[test]
    fn each_has_its_burst_and_then_its_rate() {
        let mut buckets = Buckets::new(TEN, 100);
        let start = Instant::now();
        let taken = (0..20).filter(|_| buckets.take("a", start).is_ok()).count();
        assert_eq!(taken, 10);
        let wait = buckets.take("a", start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(buckets.take("a", start + wait).is_ok());
        assert!(buckets.take("a", start + wait).is_err());
        assert!(buckets.take("b", start).is_ok(), "each for itself");
    }

    #[test]
    fn of_too_many_the_fullest_are_forgotten() {
        let mut buckets = Buckets::new(TEN, 100);
        let start = Instant::now();
        while buckets.take(0, start).is_ok() {}
        for other in 1..10_000 {
            assert!(buckets.take(other, start).is_ok());
            assert!(buckets.known.len() <= 100);
        }
        assert!(
            buckets.take(0, start).is_err(),
            "who has none left is remembered"
        );
    }
}
