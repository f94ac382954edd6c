//! This module is a stretch of the recording: what was recorded in a range of intervals.

use crate::record::histogram::SparseHistogram;
use crate::record::recording::Recording;
use crate::units;

/// Numbers of intervals.
pub(super) type Intervals = std::ops::Range<u64>;

pub(super) fn complete_of(recording: &Recording, range: &Intervals) -> SparseHistogram {
    let mut complete = SparseHistogram::default();
    for cell in cells(recording, range) {
        complete.merge(&cell.complete);
    }
    complete
}

pub(super) fn lateness_of(recording: &Recording, range: &Intervals) -> SparseHistogram {
    let mut lateness = SparseHistogram::default();
    let interval = |at| units::saturating_u32(at);
    for (_, part) in recording
        .lateness
        .range(interval(range.start)..interval(range.end))
    {
        lateness.merge(part);
    }
    lateness
}

pub(super) fn cells<'a>(
    recording: &'a Recording,
    range: &Intervals,
) -> impl Iterator<Item = &'a crate::record::recording::Cell> {
    let key = |interval| crate::record::recording::CellKey {
        interval: units::saturating_u32(interval),
        fault: None,
    };
    recording
        .cells
        .range(key(range.start)..key(range.end))
        .map(|(_, cell)| cell)
}
