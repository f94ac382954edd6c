//! This module holds one metric of both sides against each other.
//!
//! **In:** the runs as they lie beside each other, the rules. **Out:** one [`Row`] a metric.

use std::collections::BTreeSet;

use super::comparison::{Role, Row, Word};
use super::facts::RunFacts;
use super::metric::Metric;
use super::prospect::{limit, logarithms, noise, ratio};
use super::rules::{RUNS_MIN, Rules};
use super::sides::Layout;
use super::statistics::{
    Estimate, Test, adjusted, median, noise_reach, paired, smallest_found, two_samples,
};
use crate::format;

/// The rows of every metric that any run carries: the primary one, the judged ones as the rules name them, the others.
pub(super) fn rows(layout: &Layout<'_>, rules: &Rules) -> Vec<Row> {
    let all = || layout.base.iter().chain(&layout.new);
    let carried: BTreeSet<&Metric> = all().flat_map(|run| run.values.keys()).collect();
    let mut named = vec![&rules.primary];
    for metric in &rules.others {
        if !named.contains(&metric) && carried.contains(metric) {
            named.push(metric);
        }
    }
    let judged = named.len();
    let shown = carried.iter().filter(|metric| !named.contains(*metric));
    let shown: Vec<&Metric> = shown.copied().collect();
    named.extend(shown);
    let role = |place: usize| match place {
        0 => Role::Primary,
        place if place < judged => Role::Judged,
        _ => Role::Shown,
    };
    let measured = named.iter().enumerate();
    let mut found: Vec<(Row, Option<Measured>)> = measured
        .map(|(place, metric)| row(layout, rules, metric, role(place)))
        .collect();
    hold(&mut found[1..judged]);
    let decided = found.into_iter().map(|(mut row, measured)| {
        if let Some(measured) = measured {
            let level = level(rules, row.role);
            decide(&mut row, &measured, level);
        }
        row
    });
    decided.collect()
}

/// How rarely a metric of that role is to be called slower by chance.
pub(super) const fn level(rules: &Rules, role: Role) -> f64 {
    match role {
        Role::Primary => rules.level,
        Role::Judged | Role::Shown => rules.others_level,
    }
}

/// The p-values of the judged metrics, after Holm.
fn hold(judged: &mut [(Row, Option<Measured>)]) {
    let p_of = |pick: fn(&Row) -> Option<f64>, rows: &[(Row, Option<Measured>)]| {
        let p_values: Vec<f64> = rows
            .iter()
            .map(|(row, _)| pick(row).unwrap_or(1.0))
            .collect();
        adjusted(&p_values)
    };
    let more = p_of(|row| row.p_more, judged);
    let less = p_of(|row| row.p_less, judged);
    for (((row, _), more), less) in judged.iter_mut().zip(more).zip(less) {
        row.p_more = row.p_more.map(|_| more);
        row.p_less = row.p_less.map(|_| less);
    }
}

/// What the word hangs on, as logarithms.
struct Measured {
    estimate: Estimate,
    interval: (f64, f64),
    /// The larger floor.
    limit: f64,
    noise: f64,
}

fn decide(row: &mut Row, measured: &Measured, level: f64) {
    let Measured {
        estimate,
        interval: (low, high),
        limit,
        noise,
    } = *measured;
    let needed = limit.max(noise);
    let sure = |p: Option<f64>| p.is_some_and(|p| p <= level);
    row.within = high < limit;
    row.word = if sure(row.p_more) && estimate.change >= needed {
        Word::Slower
    } else if sure(row.p_less) && -estimate.change >= needed {
        Word::Faster
    } else if row.within && low > -limit {
        Word::Same
    } else {
        Word::CannotTell
    };
    if row.word == Word::Slower {
        row.within = false;
    }
}

/// Runs of both sides that carry the metric; of pairs both.
struct Carried<'a> {
    base: Vec<(&'a RunFacts, f64)>,
    new: Vec<(&'a RunFacts, f64)>,
}

impl<'a> Carried<'a> {
    fn of(layout: &Layout<'a>, metric: &Metric) -> Self {
        let value = |run: &'a RunFacts| {
            let value = run.values.get(metric).copied();
            let value = value.filter(|value| value.is_finite() && *value > 0.0);
            value.map(|value| (run, value))
        };
        let (base, new) = (layout.base.iter().copied(), layout.new.iter().copied());
        if layout.is_paired() {
            let both = base
                .zip(new)
                .filter_map(|(base, new)| value(base).zip(value(new)));
            let (base, new) = both.unzip();
            return Self { base, new };
        }
        Self {
            base: base.filter_map(value).collect(),
            new: new.filter_map(value).collect(),
        }
    }

    fn values(side: &[(&RunFacts, f64)]) -> Vec<f64> {
        side.iter().map(|(_, value)| *value).collect()
    }
}

/// One metric, its word still open.
fn row(layout: &Layout<'_>, rules: &Rules, metric: &Metric, role: Role) -> (Row, Option<Measured>) {
    let carried = Carried::of(layout, metric);
    let (base, new) = (
        Carried::values(&carried.base),
        Carried::values(&carried.new),
    );
    let line = layout.new.iter().find_map(|run| line(run, metric));
    let mut row = Row {
        metric: metric.clone(),
        unit: metric.unit(),
        role,
        word: Word::CannotTell,
        within: false,
        base_median: median(&base),
        new_median: median(&new),
        base,
        new,
        wait: None,
        base_own_median: None,
        new_own_median: None,
        change_ratio: None,
        low_ratio: None,
        high_ratio: None,
        pair_ratios: Vec::new(),
        p_more: None,
        p_less: None,
        limit_ratio: None,
        noise_ratio: None,
        smallest_ratio: None,
        reason: missing(layout, &carried),
        line,
    };
    if row.base.len().min(row.new.len()) < RUNS_MIN
        || (role == Role::Primary && row.reason.is_some())
    {
        return (row, None);
    }
    let wait = wait(layout, rules, metric, &mut row);
    let measured = measure(layout, rules, &carried, wait, &mut row);
    (row, measured)
}

/// Where the scenario expects something of the metric, or else of its stage.
fn line(run: &RunFacts, metric: &Metric) -> Option<u32> {
    let of_stage = || run.lines.get(metric.stage()?.name());
    let line = run.lines.get(&metric.to_string()).or_else(of_stage);
    line.copied()
}

/// Not every run carries it: too few samples, or nothing to count.
fn missing(layout: &Layout<'_>, carried: &Carried<'_>) -> Option<String> {
    let (of_base, of_new) = (layout.base.len(), layout.new.len());
    let (base, new) = (carried.base.len(), carried.new.len());
    if (base, new) == (of_base, of_new) {
        return None;
    }
    if layout.is_paired() {
        return Some(format!(
            "only {base} of {of_base} pairs have it on both sides"
        ));
    }
    Some(format!(
        "only {base} of {of_base} base runs and {new} of {of_new} new runs have it"
    ))
}

/// The wait to take out of a metric, 0 where there is none; what is left of every run is more than nothing.
fn wait(layout: &Layout<'_>, rules: &Rules, metric: &Metric, row: &mut Row) -> f64 {
    let Some(stage) = metric.stage() else {
        return 0.0;
    };
    let of = |runs: &[&RunFacts]| {
        let waits = runs.iter().map(|run| run.waits.us.get(&stage).copied());
        waits.min().flatten()
    };
    let named = rules.known_waits_us.get(&stage).copied();
    // Where one side is not known, it is asked for what the other one waits.
    let planned = match (of(&layout.base), of(&layout.new)) {
        (Some(base), Some(new)) => Some(base.min(new)),
        (base, new) => base.or(new),
    };
    let Some(wait) = named.or(planned).filter(|wait| *wait > 0) else {
        return 0.0;
    };
    let wait = wait as f64;
    let smallest = row
        .base
        .iter()
        .chain(&row.new)
        .copied()
        .fold(f64::INFINITY, f64::min);
    if smallest <= wait {
        row.reason = Some(format!(
            "judged whole: a run was faster than its planned wait of {}",
            format::duration_f64(wait)
        ));
        return 0.0;
    }
    row.wait = Some(wait);
    wait
}

/// The change and its limits, as numbers of the row.
fn measure(
    layout: &Layout<'_>,
    rules: &Rules,
    carried: &Carried<'_>,
    wait: f64,
    row: &mut Row,
) -> Option<Measured> {
    let own = |values: &[f64]| values.iter().map(|value| value - wait).collect::<Vec<_>>();
    let (base, new) = (own(&row.base), own(&row.new));
    if row.wait.is_some() {
        row.base_own_median = median(&base);
        row.new_own_median = median(&new);
    }
    let (base_logs, new_logs) = (logarithms(&base), logarithms(&new));
    let usual = median(&base)?;
    let messages = carried.base.iter().chain(&carried.new);
    let messages = messages
        .map(|(run, _)| run.counts.completed)
        .min()
        .unwrap_or(0);
    let step = row.metric.step(usual + wait, messages) / usual;
    let design = layout.design_of(base.len(), new.len());
    let estimate = if layout.is_paired() {
        let pairs: Vec<(f64, f64)> = base_logs.iter().copied().zip(new_logs).collect();
        row.pair_ratios = pairs.iter().map(|(base, new)| ratio(new - base)).collect();
        paired(&pairs, step)?
    } else {
        two_samples(&base_logs, &new_logs, step)?
    };
    let limit = limit(rules, &row.metric, usual);
    let spread = noise(layout.is_paired(), rules, &row.metric, &base_logs);
    let noise = spread.map_or(0.0, |spread| noise_reach(spread, design));
    let interval = estimate.interval(rules.confidence);
    let test = Test {
        design,
        level: level(rules, row.role),
        limit: limit.max(noise),
    };
    row.change_ratio = Some(ratio(estimate.change));
    row.low_ratio = Some(ratio(interval.0));
    row.high_ratio = Some(ratio(interval.1));
    row.p_more = Some(estimate.p_more());
    row.p_less = Some(estimate.p_less());
    row.limit_ratio = Some(ratio(limit));
    row.noise_ratio = spread.map(|_| ratio(noise));
    row.smallest_ratio = smallest_found(&test, estimate.spread(design)).map(ratio);
    Some(Measured {
        estimate,
        interval,
        limit,
        noise,
    })
}
