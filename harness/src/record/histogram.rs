//! This module counts latencies in buckets of a fixed relative width, sparsely.
//!
//! **In:** microseconds. **Out:** counts per bucket, and percentiles of them.
//!
//! The buckets are those of an `HdrHistogram` from 1 µs to 10 min with three significant digits, so
//! a value is off by 0.1 % at most, merging is adding counts, and writing one as V2 loses nothing.
//! Sparse because a run holds one for every interval, stage and fault.
//!
//! **Units:** microseconds; a larger value than 10 min counts as 10 min and in `saturated`.
//! **Source:** Gil Tene's `HdrHistogram` (bucket layout, percentile as the highest equivalent value).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest value told apart: 10 minutes.
pub(crate) const HIGHEST_US: u64 = 600_000_000;
/// `HdrHistogram` keeps 2048 sub-buckets for three digits.
const SUB_BUCKET_BITS: u32 = 11;

/// Counts of microsecond values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SparseHistogram {
    /// Lowest value of the bucket and its count, ascending. A plain vector: latencies fall into few
    /// buckets, so they are found more often than added.
    counts: Vec<(u32, u32)>,
    total: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
    saturated: u64,
}

/// A latency distribution in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Summary {
    pub count: u64,
    pub min_us: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub max_us: u64,
}

/// Width of the bucket that holds `us`, as a power of two.
fn bucket_shift(us: u64) -> u32 {
    (u64::BITS - us.leading_zeros()).saturating_sub(SUB_BUCKET_BITS)
}

impl SparseHistogram {
    /// Counts one value.
    pub(crate) fn record(&mut self, us: u64) {
        let value = us.clamp(1, HIGHEST_US);
        self.saturated += u64::from(us > HIGHEST_US);
        let shift = bucket_shift(value);
        let low = u32::try_from((value >> shift) << shift).unwrap_or(u32::MAX);
        self.add(low, 1);
        self.min_us = if self.total == 0 {
            value
        } else {
            self.min_us.min(value)
        };
        self.max_us = self.max_us.max(value);
        self.total += 1;
        self.sum_us += value;
    }

    /// Adds the counts of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.total == 0 {
            return;
        }
        for &(low, count) in &other.counts {
            self.add(low, count);
        }
        self.min_us = if self.total == 0 {
            other.min_us
        } else {
            self.min_us.min(other.min_us)
        };
        self.max_us = self.max_us.max(other.max_us);
        self.total += other.total;
        self.sum_us += other.sum_us;
        self.saturated += other.saturated;
    }

    /// The distribution in numbers; `None` without samples.
    pub(crate) fn summary(&self) -> Option<Summary> {
        (!self.is_empty()).then(|| Summary {
            count: self.count(),
            min_us: self.min_us(),
            mean_us: (self.mean_us() * 1e3).round() / 1e3,
            p50_us: self.value_at(0.5),
            p90_us: self.value_at(0.9),
            p95_us: self.value_at(0.95),
            p99_us: self.value_at(0.99),
            p999_us: self.value_at(0.999),
            max_us: self.max_us(),
        })
    }

    pub(crate) const fn count(&self) -> u64 {
        self.total
    }

    /// Values above [`HIGHEST_US`].
    pub(crate) const fn saturated(&self) -> u64 {
        self.saturated
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Smallest value, exact; 0 when empty.
    pub(crate) const fn min_us(&self) -> u64 {
        self.min_us
    }

    /// Largest value, exact; 0 when empty.
    pub(crate) const fn max_us(&self) -> u64 {
        self.max_us
    }

    /// Mean of the exact values; 0 when empty.
    pub(crate) fn mean_us(&self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            self.sum_us as f64 / self.total as f64
        }
    }

    /// The value that `quantile` (0..=1) of all values do not exceed: the highest value of its
    /// bucket, never above the true maximum. 0 when empty.
    pub(crate) fn value_at(&self, quantile: f64) -> u64 {
        if self.total == 0 {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank is between 1 and total"
        )]
        let rank = ((quantile.clamp(0.0, 1.0) * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for &(low, count) in &self.counts {
            seen += u64::from(count);
            if seen >= rank {
                let low = u64::from(low);
                return (low + (1 << bucket_shift(low)) - 1).min(self.max_us);
            }
        }
        self.max_us
    }

    /// How many values lie at or below `us`, to the width of a bucket.
    pub(crate) fn count_at_or_below(&self, us: u64) -> u64 {
        let limit = u32::try_from(us.min(HIGHEST_US)).unwrap_or(u32::MAX);
        self.counts
            .iter()
            .take_while(|&&(low, _)| low <= limit)
            .map(|&(_, count)| u64::from(count))
            .sum()
    }

    /// Buckets in ascending order: lowest value of the bucket, count.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts
            .iter()
            .map(|&(low, count)| (u64::from(low), u64::from(count)))
    }

    fn add(&mut self, low: u32, count: u32) {
        match self.counts.binary_search_by_key(&low, |&(low, _)| low) {
            Ok(place) => self.counts[place].1 += count,
            Err(place) => self.counts.insert(place, (low, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_hdrhistogram_at_every_percentile(values in prop::collection::vec(1..HIGHEST_US, 1..400)) {
            let mut ours = SparseHistogram::default();
            let mut theirs = Histogram::<u64>::new_with_bounds(1, HIGHEST_US, 3).unwrap();
            for &value in &values {
                ours.record(value);
                theirs.record(value).unwrap();
            }
            for quantile in [0.1, 0.5, 0.9, 0.99, 0.999] {
                let theirs = theirs.value_at_quantile(quantile).min(theirs.max());
                let exact_top = ours.max_us();
                prop_assert_eq!(ours.value_at(quantile), theirs.min(exact_top));
            }
        }

        #[test]
        fn merging_is_the_same_as_recording_both(left in prop::collection::vec(1..HIGHEST_US, 0..100), right in prop::collection::vec(1..HIGHEST_US, 0..100)) {
            let (mut a, mut b, mut both) = (SparseHistogram::default(), SparseHistogram::default(), SparseHistogram::default());
            for &v in &left { a.record(v); both.record(v); }
            for &v in &right { b.record(v); both.record(v); }
            a.merge(&b);
            prop_assert_eq!(a, both);
        }
    }
}
