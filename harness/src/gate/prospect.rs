//! This module says what a gate could find, by what its base alone shows: the noise from run to run.
//!
//! **In:** runs of one kind, rules. **Out:** noise, limits, and the smallest change found in 95 of 100 gates. **Units:**
//! logarithms within, ratios (0.1 is 10 %) outside.

use std::collections::BTreeMap;

use super::facts::RunFacts;
use super::metric::Metric;
use super::rules::Rules;
use super::sides::Layout;
use super::statistics::{
    Design, Spread, Test, median, noise_reach, of_neighbours, of_values, smallest_found,
};

/// The smallest change of the primary metric that so many runs would find, by what the base alone shows.
pub(super) fn smallest_before(layout: &Layout<'_>, rules: &Rules) -> Option<f64> {
    let own = own_of(&layout.base, rules, &rules.primary);
    let spread = noise(layout.is_paired(), rules, &rules.primary, &logarithms(&own))?;
    finds(
        layout.design(),
        rules,
        &rules.primary,
        (median(&own)?, spread),
    )
}

/// What a gate by these runs could find of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prospect {
    /// Whole, in the unit of the metric.
    pub median: f64,
    /// Standard deviation from run to run.
    pub noise_ratio: f64,
    /// The smallest change found in 95 of 100 gates with as many new runs; `None`: none of any use.
    pub finds_ratio: Option<f64>,
}

/// The prospect of a metric; `None` where the runs do not carry it.
pub(super) fn prospect(runs: &[RunFacts], metric: &Metric, rules: &Rules) -> Option<Prospect> {
    let all: Vec<&RunFacts> = runs.iter().collect();
    let own = own_of(&all, rules, metric);
    let spread = noise(false, rules, metric, &logarithms(&own))?;
    let design = Design::TwoSamples {
        base: own.len(),
        new: own.len(),
    };
    let whole: Vec<f64> = runs
        .iter()
        .filter_map(|run| run.values.get(metric).copied())
        .collect();
    Some(Prospect {
        median: median(&whole)?,
        noise_ratio: ratio(spread.deviation),
        finds_ratio: finds(design, rules, metric, (median(&own)?, spread)),
    })
}

/// The smallest change that a gate of that design finds, where so much is usual and runs lie so far apart.
pub(super) fn finds(
    design: Design,
    rules: &Rules,
    metric: &Metric,
    (usual, spread): (f64, Spread),
) -> Option<f64> {
    let limit = limit(rules, metric, usual);
    let test = Test {
        design,
        level: rules.level,
        limit: limit.max(noise_reach(spread, design)),
    };
    smallest_found(&test, spread).map(ratio)
}

/// The noise of every metric that all of the runs carry.
pub(super) fn noise_of(runs: &[RunFacts], rules: &Rules) -> BTreeMap<Metric, Spread> {
    let all: Vec<&RunFacts> = runs.iter().collect();
    let carried = runs.first().into_iter().flat_map(|run| run.values.keys());
    let spread = |metric: &Metric| {
        let own = own_of(&all, rules, metric);
        let whole = own.len() == all.len();
        let mut spread = of_values(&logarithms(&own)).filter(|_| whole)?;
        spread.deviation = (spread.deviation * 1e6).round() / 1e6;
        Some((metric.clone(), spread))
    };
    carried.filter_map(spread).collect()
}

/// What a metric has in each run that carries it, its planned wait left out.
fn own_of(runs: &[&RunFacts], rules: &Rules, metric: &Metric) -> Vec<f64> {
    let values = runs
        .iter()
        .filter_map(|run| run.values.get(metric).copied());
    let values: Vec<f64> = values
        .filter(|value| value.is_finite() && *value > 0.0)
        .collect();
    let wait = metric.stage().map_or(0.0, |stage| {
        let planned = runs.iter().filter_map(|run| run.waits.us.get(&stage)).min();
        let wait = rules.known_waits_us.get(&stage).or(planned);
        wait.map_or(0.0, |wait| *wait as f64)
    });
    if values.iter().all(|value| *value > wait) {
        values.iter().map(|value| value - wait).collect()
    } else {
        values
    }
}

pub(super) fn logarithms(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.ln()).collect()
}

/// The larger floor beside what is usual, as a logarithm.
pub(super) fn limit(rules: &Rules, metric: &Metric, usual: f64) -> f64 {
    rules
        .relative_floor
        .max(rules.floor(metric) / usual)
        .ln_1p()
}

/// A logarithm as a share: 0.0953 is 0.1.
pub(super) fn ratio(logarithm: f64) -> f64 {
    logarithm.exp_m1()
}

/// The noise from run to run: learnt elsewhere, or that of the base side.
pub(super) fn noise(
    is_paired: bool,
    rules: &Rules,
    metric: &Metric,
    base_logs: &[f64],
) -> Option<Spread> {
    let learnt = rules.noise.get(metric).copied();
    learnt.or_else(|| {
        if is_paired {
            of_neighbours(base_logs)
        } else {
            of_values(base_logs)
        }
    })
}
