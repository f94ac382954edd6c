//! This module sets runs beside each other in a table: a row each, and how far they scatter.
//!
//! **In:** the facts of runs. **Out:** lines for a terminal.

use super::OneRun;
use crate::format;
use crate::gate::facts::{Ended, RunFacts};
use crate::gate::metric::{Metric, Part};
use crate::stage::Stage;

/// What stands in the table where the runs carry it.
const COLUMNS: [(&str, Metric); 6] = [
    ("complete p50", Metric::latency(Stage::Complete, Part::P50)),
    ("complete p99", Metric::latency(Stage::Complete, Part::P99)),
    ("queued p50", Metric::latency(Stage::TaskQueued, Part::P50)),
    ("ready p50", Metric::latency(Stage::SessionReady, Part::P50)),
    ("cpu/message", Metric::ServerCpu),
    ("memory", Metric::ServerMemory),
];
const VERDICT_COLUMNS: usize = 13;
const VALUE_COLUMNS: usize = 13;

/// The table; empty where there are no runs.
pub(super) fn lines(runs: &[OneRun]) -> Vec<String> {
    let facts = || runs.iter().filter_map(|run| run.facts.as_ref());
    let mut columns = COLUMNS.to_vec();
    columns.retain(|(_, metric)| facts().any(|run| run.values.contains_key(metric)));
    let wide = runs.iter().map(|run| run.name.chars().count()).max();
    let wide = wide.unwrap_or(0).max("from run to run".len());
    let row = |first: &str, second: &str, cells: Vec<String>| {
        let cells = cells
            .into_iter()
            .map(|cell| format!("{cell:>VALUE_COLUMNS$}"));
        let cells: Vec<String> = cells.collect();
        let line = format!(
            "{first:<wide$}  {second:<VERDICT_COLUMNS$}{}",
            cells.concat()
        );
        line.trim_end().to_owned()
    };
    let heads = columns.iter().map(|(name, _)| (*name).to_owned());
    let mut lines = vec![row("run", "verdict", heads.collect())];
    for run in runs {
        let cell = |metric: &Metric| {
            let value = run
                .facts
                .as_ref()
                .and_then(|facts| facts.values.get(metric));
            value.map_or_else(|| "-".to_owned(), |value| metric.unit().text(*value))
        };
        let cells = columns.iter().map(|(_, metric)| cell(metric));
        lines.push(row(&run.name, word(run), cells.collect()));
    }
    if facts().count() > 1 {
        let cell =
            |metric| scatter(facts(), metric).map_or_else(|| "-".to_owned(), format::percent);
        let cells = columns.iter().map(|(_, metric)| cell(metric));
        lines.push(row("from run to run", "", cells.collect()));
    }
    lines
}

fn word(run: &OneRun) -> &'static str {
    match run.facts.as_ref().map(|facts| facts.end.status) {
        Some(Ended::Pass) => "pass",
        Some(Ended::Fail) => "fail",
        Some(Ended::Invalid) => "invalid",
        Some(Ended::Inconclusive) => "inconclusive",
        Some(Ended::Interrupted) => "interrupted",
        None => "no result",
    }
}

/// Standard deviation of a metric over the runs, as a share of its mean.
fn scatter<'a>(runs: impl Iterator<Item = &'a RunFacts>, metric: &Metric) -> Option<f64> {
    let values: Vec<f64> = runs
        .filter_map(|run| run.values.get(metric).copied())
        .collect();
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (count - 1.0)).sqrt() / mean).filter(|ratio| ratio.is_finite())
}
