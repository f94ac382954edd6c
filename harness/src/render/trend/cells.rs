//! This module puts a history into words: the same on the terminal and on the page.

use crate::format;
use crate::gate::metric::{Metric, MetricUnit};
use crate::gate::trend::{Change, LEAST, LEVEL, MetricTrend, PERMUTATIONS, Series, Trend};
use crate::render::words::plural;

/// Letters of a commit that are shown.
const COMMIT_SHOWN: usize = 10;

/// `3 changes in 2 series of 41 and 12 points`.
pub(super) fn sentence(trend: &Trend) -> String {
    let points = trend.series.iter().map(|series| series.points.len()).sum();
    let changes: usize = judged(trend).map(|of| of.changes.len()).sum();
    let what = match changes {
        0 => "No metric changed its level".to_owned(),
        some => format!("{} of level", plural(some, "change")),
    };
    let series = match trend.series.len() {
        1 => String::new(),
        // The plural of series is series.
        many => format!(" of {many} series"),
    };
    format!("{what} in {}{series}", plural(points, "point"))
}

/// The metrics that a gate judges.
fn judged(trend: &Trend) -> impl Iterator<Item = &MetricTrend> {
    let all = trend.series.iter().flat_map(|series| &series.metrics);
    all.filter(|of| of.judged)
}

pub(super) fn value(of: &MetricTrend, value: Option<f64>) -> String {
    match (of.unit, value) {
        (_, None) => format::NONE.to_owned(),
        (MetricUnit::Microseconds, Some(us)) => format::duration_f64(us),
        (MetricUnit::Bytes, Some(bytes)) => format::bytes(crate::units::rounded(bytes)),
    }
}

/// The metric, with what it is per.
pub(super) fn name(of: &MetricTrend) -> String {
    let name = format::harmless(&of.metric.to_string());
    match of.metric {
        Metric::ServerCpu => format!("{name}/message"),
        Metric::ServerMemory => format!("{name}/client"),
        Metric::Latency { .. } | Metric::Recovery { .. } | Metric::BacklogDrain { .. } => name,
    }
}

/// The first and the last value that there is.
pub(super) fn ends(of: &MetricTrend) -> (Option<f64>, Option<f64>) {
    let known = || of.values.iter().flatten().copied();
    (known().next(), known().next_back())
}

/// `+12 % at point 17 (2026-11-20T03:00:11Z, 4f1c09a2be): 2.71 ms → 3.03 ms`.
pub(super) fn change(series: &Series, of: &MetricTrend, change: &Change) -> String {
    let point = series.points.get(change.point);
    let at = point.map_or(format::NONE, |point| point.at.as_str());
    let commit = point.and_then(|point| point.commit.as_deref());
    let commit = commit.map_or_else(String::new, |commit| format!(", {}", short(commit)));
    format!(
        "{} at point {} ({}{commit}): {} → {}",
        format::change(change.change_ratio),
        change.point + 1,
        format::harmless(at),
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
