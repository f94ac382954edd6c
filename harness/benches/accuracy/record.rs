//! This module is exact percentiles of what the target wrote down, and how far a report may be from them.
//!
//! **In:** every response time of a run. **Out:** percentiles by nearest rank, which is the rule of the harness's own
//! histograms; what a report may differ by.
//!
//! **Units:** nanoseconds.

/// Share of a value that a report may be off by. The harness's buckets are 0.1 % wide at most.
const TOLERANCE_RATIO: f64 = 0.005;
/// What it may be off by in any case. A client also sees what the record cannot hold: two ways over the loopback, two
/// system calls, whole microseconds; tens of microseconds together.
const TOLERANCE_NS: u64 = 100_000;

/// A percentile that is reported, and how many values it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percentile {
    pub name: &'static str,
    /// Its field in a result.
    pub field: &'static str,
    /// That of the percentile beyond which a tenth as many lie; of the last one the most of all.
    pub further: &'static str,
    pub ratio: f64,
    /// As few as the harness judges it by.
    pub samples_min: usize,
}

pub(crate) const PERCENTILES: [Percentile; 4] = [
    Percentile {
        name: "p50",
        field: "p50_us",
        further: "p95_us",
        ratio: 0.5,
        samples_min: 2,
    },
    Percentile {
        name: "p90",
        field: "p90_us",
        further: "p99_us",
        ratio: 0.9,
        samples_min: 10,
    },
    Percentile {
        name: "p99",
        field: "p99_us",
        further: "p999_us",
        ratio: 0.99,
        samples_min: 100,
    },
    Percentile {
        name: "p99.9",
        field: "p999_us",
        further: "max_us",
        ratio: 0.999,
        samples_min: 1_000,
    },
];

/// The value of ascending ones that a share of them does not exceed; `None` of none.
pub(crate) fn nearest_rank(sorted: &[u64], ratio: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and their number"
    )]
    let rank = (ratio.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// What a report may differ by from that value of the record: a share of it, or the floor, whichever is more.
pub(crate) fn tolerance_ns(record_ns: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small part of a time"
    )]
    let share = (record_ns as f64 * TOLERANCE_RATIO) as u64;
    share.max(TOLERANCE_NS)
}
