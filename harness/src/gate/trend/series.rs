//! This module makes series of the samples of a history, and finds their changes.
//!
//! **In:** samples in order of time. **Out:** a [`Trend`].

use std::collections::BTreeSet;

use super::account::{Change, MetricTrend, SCHEMA, Series, Trend};
use super::divisive::{self, POINTS_MAX};
use super::history::{History, Sample};
use crate::gate::metric::Metric;
use crate::gate::rules::Rules;
use crate::gate::statistics::median;

/// The trend of a history; of these metrics alone where any are named.
pub(crate) fn trend(history: History, asked: &[Metric]) -> Trend {
    let History { samples, mut notes } = history;
    let mut groups: Vec<Vec<Sample>> = Vec::new();
    for sample in samples {
        let belongs = |group: &&mut Vec<Sample>| {
            let first = &group[0];
            first.plan.load == sample.plan.load
                && first.plan.environment == sample.plan.environment
                && first.host.is_like(&sample.host)
        };
        match groups.iter_mut().find(belongs) {
            Some(group) => group.push(sample),
            None => groups.push(vec![sample]),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut series = Vec::new();
    for mut group in groups {
        if let Some(more @ 1..) = group.len().checked_sub(POINTS_MAX) {
            group.drain(..more);
            let title = &group[0].title;
            notes.push(format!(
                "{title}: the oldest {more} points are left out; {POINTS_MAX} are looked at"
            ));
        }
        series.extend(of_group(&group, asked));
    }
    Trend {
        schema: SCHEMA.to_owned(),
        series,
        notes,
    }
}

fn of_group(group: &[Sample], asked: &[Metric]) -> Option<Series> {
    let last = group.last()?;
    let judged = Rules::usual();
    let carried: BTreeSet<&Metric> = group
        .iter()
        .flat_map(|sample| sample.values.keys())
        .collect();
    let named = judged.iter().filter(|metric| carried.contains(metric));
    let others = carried.iter().copied();
    let others = others.filter(|metric| !judged.contains(metric));
    let is_asked = |metric: &&Metric| asked.is_empty() || asked.contains(metric);
    let metrics = named.chain(others).filter(is_asked);
    Some(Series {
        title: last.title.clone(),
        scenario: last.scenario.clone(),
        host: last.host.clone(),
        load: last.plan.load.clone(),
        metrics: metrics
            .map(|metric| of_metric(group, metric, judged.contains(metric)))
            .collect(),
        points: group.iter().map(|sample| sample.point.clone()).collect(),
    })
}

fn of_metric(group: &[Sample], metric: &Metric, judged: bool) -> MetricTrend {
    // One wait for all: a gate that was told of it and a baseline that was not measured the same.
    let whole = |sample: &Sample| {
        let value = sample.values.get(metric).copied();
        value.filter(|value| value.is_finite() && *value > 0.0)
    };
    let waits = group
        .iter()
        .filter_map(|sample| sample.waits.get(metric).copied());
    let wait = waits.reduce(f64::max).filter(|wait| {
        let mut values = group.iter().filter_map(whole);
        *wait > 0.0 && values.all(|value| value > *wait)
    });
    let own = |sample: &Sample| whole(sample).map(|value| value - wait.unwrap_or(0.0));
    let values: Vec<Option<f64>> = group.iter().map(own).collect();
    MetricTrend {
        metric: metric.clone(),
        unit: metric.unit(),
        judged,
        wait,
        changes: changes(&values),
        values,
    }
}

/// Where the values change their level; they are looked at as logarithms, as a gate does.
fn changes(values: &[Option<f64>]) -> Vec<Change> {
    let places = values.iter().enumerate();
    let known: Vec<(usize, f64)> = places
        .filter_map(|(place, value)| Some((place, (*value)?)))
        .collect();
    let logarithms: Vec<f64> = known.iter().map(|(_, value)| value.ln()).collect();
    let splits = divisive::splits(&logarithms);
    let level = |from: usize, to: usize| {
        let values: Vec<f64> = known[from..to].iter().map(|(_, value)| *value).collect();
        median(&values)
    };
    let mut found = Vec::new();
    for (place, split) in splits.iter().enumerate() {
        let from = place.checked_sub(1).map_or(0, |last| splits[last].at);
        let to = splits.get(place + 1).map_or(known.len(), |next| next.at);
        if let Some((before, after)) = level(from, split.at).zip(level(split.at, to)) {
            found.push(Change {
                point: known[split.at].0,
                before,
                after,
                change_ratio: after / before - 1.0,
                p: split.p,
            });
        }
    }
    found
}
