//! This module counts how many answers took how long, over time: the whole distribution of each step, and not its percentiles.
//!
//! **In:** the recording. **Out:** [`Heat`].
//!
//! **Units:** microseconds; rows are even on a log scale.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intervals::complete_of;
use crate::record::recording::Recording;

/// Columns of the picture at most.
const STEPS_MAX: u64 = 240;
/// Rows of a decade: each is a third wider than the one below.
const ROWS_PER_DECADE: u32 = 8;

/// Response times of `complete`, by intended send: how many of each length in each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Heat {
    /// A multiple of the step of the series.
    pub step_us: u64,
    /// Row *r* holds what took 10^(r / `rows_per_decade`) µs or more, and less than that of row *r* + 1.
    pub rows_per_decade: u32,
    pub steps: Vec<HeatStep>,
}

/// The answers of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HeatStep {
    /// The row of the first count.
    pub first_row: u32,
    /// Row by row upwards; empty where nothing was answered.
    pub counts: Vec<u64>,
}

/// Of `steps` steps of the series, each so many intervals long; `None` where nothing was completed.
pub(super) fn heat(
    recording: &Recording,
    steps: u64,
    per_step: u64,
    interval_us: u64,
) -> Option<Heat> {
    let per_column = steps.div_ceil(STEPS_MAX).max(1) * per_step;
    let columns = (steps * per_step).div_ceil(per_column);
    let column = |at: u64| {
        let answers = complete_of(recording, &(at * per_column..(at + 1) * per_column));
        let mut step = HeatStep::default();
        for (low_us, count) in answers.buckets() {
            step.add(row_of(low_us), count);
        }
        step
    };
    let steps: Vec<HeatStep> = (0..columns).map(column).collect();
    let any = steps.iter().any(|step| !step.counts.is_empty());
    any.then_some(Heat {
        step_us: per_column * interval_us,
        rows_per_decade: ROWS_PER_DECADE,
        steps,
    })
}

/// The row of a length.
fn row_of(us: u64) -> u32 {
    let exact = (us.max(1) as f64).log10() * f64::from(ROWS_PER_DECADE);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 8 × 19, and not below 0"
    )]
    let row = (exact + 1e-9) as u32;
    row
}

impl HeatStep {
    /// Rows come in order, lowest first.
    fn add(&mut self, row: u32, count: u64) {
        if self.counts.is_empty() {
            self.first_row = row;
        }
        let place = usize::try_from(row - self.first_row).unwrap_or(0);
        self.counts.resize(self.counts.len().max(place + 1), 0);
        self.counts[place] += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::recording::CellKey;

    #[test]
    fn every_answer_is_in_the_row_of_its_length_and_in_its_step() {
        let mut recording = Recording::default();
        let mut record = |interval: u32, us: u64| {
            let key = CellKey {
                interval,
                fault: None,
            };
            recording.cells.entry(key).or_default().complete.record(us);
        };
        record(0, 1_000);
        record(0, 1_010);
        record(1, 100_000);
        record(3, 1_000);
        let heat = heat(&recording, 4, 1, 250_000).unwrap();
        assert_eq!((heat.step_us, heat.steps.len()), (250_000, 4));
        let of = |first_row, counts: &[u64]| HeatStep {
            first_row,
            counts: counts.to_vec(),
        };
        assert_eq!(heat.steps[0], of(24, &[2]));
        assert_eq!(heat.steps[1], of(39, &[1]));
        assert_eq!(heat.steps[2], HeatStep::default());
        assert_eq!(heat.steps[3], of(24, &[1]));
    }

    #[test]
    fn a_long_run_has_longer_steps_and_an_empty_one_no_picture() {
        assert!(heat(&Recording::default(), 4, 1, 250_000).is_none());
        let mut recording = Recording::default();
        for interval in 0..1_200 {
            let key = CellKey {
                interval,
                fault: None,
            };
            recording.cells.entry(key).or_default().complete.record(10);
        }
        let heat = heat(&recording, 1_200, 1, 250_000).unwrap();
        assert_eq!((heat.step_us, heat.steps.len()), (1_250_000, 240));
        let all: u64 = heat.steps.iter().flat_map(|step| &step.counts).sum();
        assert_eq!(all, 1_200);
    }
}
