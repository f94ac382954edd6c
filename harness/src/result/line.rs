//! This module finds steps long enough for a percentile to mean something in each.
//!
//! **In:** the series on its usual step, the plan's expectations, the recording. **Out:** [`Line`]s: percentiles that
//! the usual step does not support, over the shortest steps that do, and statistics of `complete` that only the
//! scenario asks for. A percentile that only the whole run supports has a line where the scenario asks for it, one that not
//! even that supports has none.
//!
//! **Units:** microseconds.

use super::intervals::{Intervals, complete_of, lateness_of};
use super::{Line, Lined, Series};
use crate::plan::Plan;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::Recording;
use crate::scenario::expectation::{Quantity, Statistic, TimeKind};
use crate::stage::Stage;
use crate::units;

/// Usual steps that a longer one is made of; of 250 ms they make 0.5, 1, 2, 5, 10, 20, 30 s, 1, 2, 5, 10, 20 min.
const FACTORS: [u64; 13] = [1, 2, 4, 8, 20, 40, 80, 120, 240, 480, 1_200, 2_400, 4_800];
/// Share of the values that must lie in steps that support the statistic.
const SUPPORTED_RATIO: f64 = 0.9;

/// Whether so many values support a quantile.
pub(super) fn supports(count: u64, quantile: f64) -> bool {
    count as f64 + 0.5 >= 1.0 / (1.0 - quantile)
}

/// The lines that a series on its usual steps lacks.
pub(super) fn lines(series: &Series, plan: &Plan, recording: &Recording) -> Vec<Line> {
    let per_step = (series.step_us / plan.interval_us.max(1)).max(1);
    let ranges =
        (0..series.complete_count.len() as u64).map(|step| step * per_step..(step + 1) * per_step);
    let steps = |of: fn(&Recording, &Intervals) -> SparseHistogram| -> Vec<SparseHistogram> {
        ranges.clone().map(|range| of(recording, &range)).collect()
    };
    let (complete, lateness) = (steps(complete_of), steps(lateness_of));
    // p99.9 has a step of its own in the series.
    let second = series.second_us / series.step_us.max(1);
    let usual = [
        (Lined::Complete, Statistic::P50, 1),
        (Lined::Complete, Statistic::P99, 1),
        (Lined::Complete, Statistic::P999, second),
        (Lined::Lateness, Statistic::P50, 1),
        (Lined::Lateness, Statistic::P99, 1),
    ];
    let asked = [Statistic::Mean, Statistic::P90, Statistic::P95].into_iter();
    let asked = asked
        .filter(|&statistic| is_expected(plan, statistic))
        // There is no usual step of these: any is longer.
        .map(|statistic| (Lined::Complete, statistic, 0));
    let wanted = usual.into_iter().chain(asked);
    let line = |(of, statistic, there): (Lined, Statistic, u64)| {
        let steps = match of {
            Lined::Complete => &complete,
            Lined::Lateness => &lateness,
        };
        let factor = factor(steps, statistic).filter(|&factor| factor > there)?;
        // One value for the whole run is no line over time; it is told where it is what was asked for.
        let asked = of == Lined::Complete && is_expected(plan, statistic);
        if factor >= steps.len() as u64 && !asked {
            return None;
        }
        Some(Line {
            of,
            statistic,
            step_us: factor * series.step_us,
            values_us: values(steps, statistic, factor),
        })
    };
    wanted.filter_map(line).collect()
}

fn is_expected(plan: &Plan, wanted: Statistic) -> bool {
    plan.expect.iter().any(|expectation| {
        expectation.what
            == Quantity::Latency {
                stage: Stage::Complete,
                statistic: wanted,
                time: TimeKind::Response,
            }
    })
}

/// The quantile of a statistic that needs more than one value.
const fn quantile(statistic: Statistic) -> Option<f64> {
    match statistic {
        Statistic::Mean | Statistic::Max => None,
        Statistic::P50 => Some(0.5),
        Statistic::P90 => Some(0.9),
        Statistic::P95 => Some(0.95),
        Statistic::P99 => Some(0.99),
        Statistic::P999 => Some(0.999),
    }
}

fn enough(count: u64, statistic: Statistic) -> bool {
    quantile(statistic).map_or(count > 0, |quantile| supports(count, quantile))
}

/// Usual steps in the shortest one that nearly all values support, else in the whole run; `None`: not even that.
fn factor(steps: &[SparseHistogram], statistic: Statistic) -> Option<u64> {
    let all: u64 = steps.iter().map(SparseHistogram::count).sum();
    if !enough(all, statistic) {
        return None;
    }
    let whole = steps.len() as u64;
    let supported = |factor: &u64| {
        let counts =
            chunks(steps, *factor).map(|part| part.iter().map(SparseHistogram::count).sum());
        let good: u64 = counts.filter(|&count: &u64| enough(count, statistic)).sum();
        good as f64 >= all as f64 * SUPPORTED_RATIO
    };
    let shorter = FACTORS.into_iter().filter(|&factor| factor < whole);
    Some(shorter.into_iter().find(supported).unwrap_or(whole))
}

fn chunks(steps: &[SparseHistogram], factor: u64) -> std::slice::Chunks<'_, SparseHistogram> {
    steps.chunks(usize::try_from(factor).unwrap_or(usize::MAX).max(1))
}

fn values(steps: &[SparseHistogram], statistic: Statistic, factor: u64) -> Vec<Option<u64>> {
    let value = |part: &[SparseHistogram]| {
        let mut all = SparseHistogram::default();
        for step in part {
            all.merge(step);
        }
        enough(all.count(), statistic).then(|| match quantile(statistic) {
            Some(quantile) => all.value_at(quantile),
            None => units::rounded(all.mean_us()),
        })
    };
    chunks(steps, factor).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One histogram per count, of values around 40 ms.
    fn steps(counts: &[u64]) -> Vec<SparseHistogram> {
        let step = |&count: &u64| {
            let mut step = SparseHistogram::default();
            (0..count).for_each(|place| step.record(40_000 + place));
            step
        };
        counts.iter().map(step).collect()
    }

    #[test]
    fn a_step_grows_until_the_statistic_is_supported() {
        // 200 a second: 50 in 250 ms support a median, and two of them a p99.
        let steady = steps(&[50; 80]);
        assert_eq!(factor(&steady, Statistic::P50), Some(1));
        assert_eq!(factor(&steady, Statistic::P95), Some(1));
        assert_eq!(factor(&steady, Statistic::P99), Some(2));
        assert_eq!(factor(&steady, Statistic::P999), Some(20));
        let p99 = values(&steady, Statistic::P99, 2);
        assert_eq!(p99.len(), 40);
        assert!(p99.iter().all(Option::is_some), "{p99:?}");
    }

    #[test]
    fn a_thin_beginning_and_a_gap_do_not_lengthen_the_steps_of_the_rest() {
        let mut counts = vec![3; 4];
        counts.extend([200; 40]);
        counts.extend([0; 20]);
        assert_eq!(factor(&steps(&counts), Statistic::P99), Some(1));
    }

    #[test]
    fn few_values_are_one_step_and_too_few_have_no_line() {
        let few = steps(&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90]);
        assert_eq!(factor(&few, Statistic::P99), Some(13));
        assert_eq!(values(&few, Statistic::P99, 13).len(), 1);
        assert_eq!(factor(&steps(&[40, 40]), Statistic::P99), None);
        assert_eq!(factor(&steps(&[]), Statistic::Mean), None);
    }
}
