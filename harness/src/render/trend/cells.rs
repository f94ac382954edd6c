//! This module puts a history into words: the same on the terminal and on the page.

use crate::format;
use crate::gate::metric::Metric;
use crate::gate::trend::{Change, LEAST, LEVEL, MetricTrend, PERMUTATIONS, Series, Trend};
use crate::render::words::plural;

/// Letters of a commit that are shown.
const COMMIT_SHOWN: usize = 10;

/// `3 changes of level in 2 of 7 metrics, 41 points`.
pub(super) fn sentence(trend: &Trend) -> String {
    let points = trend.series.iter().map(|series| series.points.len()).sum();
    let points = plural(points, "point");
    let changes: usize = judged(trend).map(|of| of.changes.len()).sum();
    let changed = judged(trend).filter(|of| !of.changes.is_empty()).count();
    let all = plural(judged(trend).count(), "metric");
    // The plural of series is series.
    let series = match trend.series.len() {
        1 => String::new(),
        many => format!(" of {many} series"),
    };
    match changes {
        0 => format!("None of {all} changed its level in {points}{series}"),
        some => {
            let changes = plural(some, "change");
            format!("{changes} of level, of {changed} of {all}, in {points}{series}")
        }
    }
}

/// The metrics that a gate judges.
fn judged(trend: &Trend) -> impl Iterator<Item = &MetricTrend> {
    let all = trend.series.iter().flat_map(|series| &series.metrics);
    all.filter(|of| of.judged)
}

pub(super) fn value(of: &MetricTrend, value: Option<f64>) -> String {
    value.map_or_else(|| format::NONE.to_owned(), |value| of.unit.text(value))
}

/// The metric, with what it is per.
pub(super) fn name(of: &MetricTrend) -> String {
    let name = format::harmless(&of.metric.to_string());
    match of.metric {
        Metric::ServerCpu => format!("{name}/message"),
        Metric::RelativeCpu => format!("{name} (server/generator)"),
        Metric::ServerMemory => format!("{name}/client"),
        Metric::Latency { .. } | Metric::Recovery { .. } | Metric::BacklogDrain { .. } => name,
    }
}

/// The first and the last value that there is.
pub(super) fn ends(of: &MetricTrend) -> (Option<f64>, Option<f64>) {
    let known = || of.values.iter().flatten().copied();
    (known().next(), known().next_back())
}

/// `2026-11-20 03:00 UTC`; as it stands where it is no such time.
pub(super) fn moment(at: &str) -> String {
    let minutes = at
        .split_once('T')
        .and_then(|(day, time)| Some((day, time.get(..5)?)));
    let text = minutes.map(|(day, minutes)| format!("{day} {minutes} UTC"));
    format::harmless(&text.unwrap_or_else(|| at.to_owned()))
}

/// `+12 % at point 17 (2026-11-20 03:00 UTC, 4f1c09a2be): 2.71 ms → 3.03 ms`.
pub(super) fn change(series: &Series, of: &MetricTrend, change: &Change) -> String {
    let point = series.points.get(change.point);
    let at = point.map_or_else(|| format::NONE.to_owned(), |point| moment(&point.at));
    let commit = point.and_then(|point| point.commit.as_deref());
    let commit = commit.map_or_else(String::new, |commit| format!(", {}", short(commit)));
    format!(
        "{} at point {} ({at}{commit}): {} → {}",
        format::change(change.change_ratio),
        change.point + 1,
        value(of, Some(change.before)),
        value(of, Some(change.after))
    )
}

/// A commit as people name it.
pub(super) fn short(commit: &str) -> String {
    let letters = commit.chars().take(COMMIT_SHOWN);
    format::harmless(&letters.collect::<String>())
}

/// How changes are found, in a sentence or two.
pub(super) fn method() -> String {
    format!(
        "A change is a point at which a metric left its level and stayed away: E-divisive with a permutation test of \
         {PERMUTATIONS} permutations, so that a history without a change shows one in fewer than {} of all metrics. Ten points \
         are the fewest that can show one, and a level has {LEAST} at least: a change of the last points is seen a little later.",
        format::percent(LEVEL)
    )
}
