//! This module says why a quantity has no value in a run.

use crate::scenario::expectation::Statistic;

/// Why a quantity has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The part of the run that is asked for never came.
    Part,
    /// Too few samples for the statistic.
    Samples { seen: u64, statistic: Statistic },
    /// There was no message in the part of the run that is asked for: nothing could happen to one.
    Messages,
    /// Nobody was owed a message of another.
    Copies,
    /// No fault that is asked about was injected and seen to heal.
    Fault,
    /// The target has no readiness that could have turned red.
    Readiness,
    /// The target does not count it.
    Uncounted,
    /// Its memory cannot be compared between quarters of the load.
    Memory,
}
