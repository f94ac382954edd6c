//! This module writes `series.csv`: the run, second by second.
//!
//! **In:** the per-second series. **Out:** CSV with a header; one column per close code and error
//! label that occurred. An empty cell means not measured.
//!
//! **Units:** as the columns say; `at_s` counts from load start and is the start of the row's bin.

use std::collections::BTreeSet;

use super::file;
use super::renderer::{RenderError, Renderer};
use crate::format;
use crate::result::{RunResult, Second, Summary};
use crate::scenario::expectation::Outcome;

/// `series.csv`.
pub(crate) struct Series;

/// Columns that every run has: before those of the ledger, and after them.
const HEAD: [&str; 6] = [
    "at_s",
    "open",
    "opened",
    "reconnect_attempts",
    "tokens_ok",
    "tokens_failed",
];
const TAIL: [&str; 8] = [
    "copies",
    "attempts",
    "complete_count",
    "complete_mean_us",
    "complete_p50_us",
    "complete_p99_us",
    "complete_p999_us",
    "complete_max_us",
];

impl Renderer for Series {
    fn file(&self) -> &'static str {
        file::SERIES
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let rows = &result.series.per_second;
        let cut: BTreeSet<u16> = rows
            .iter()
            .flat_map(|row| row.closes_cut.keys().copied())
            .collect();
        let planned: BTreeSet<u16> = rows
            .iter()
            .flat_map(|row| row.closes_planned.keys().copied())
            .collect();
        let errors: BTreeSet<&String> = rows.iter().flat_map(|row| row.errors.keys()).collect();
        let mut table = csv::Writer::from_writer(Vec::new());
        let head = HEAD
            .map(str::to_owned)
            .into_iter()
            .chain(Outcome::ALL.map(|outcome| outcome.name().to_owned()))
            .chain(TAIL.map(str::to_owned))
            .chain(cut.iter().map(|code| format!("cut_{code}")))
            .chain(planned.iter().map(|code| format!("closed_{code}")))
            .chain(
                errors
                    .iter()
                    .map(|label| format!("error_{}", format::harmless(label))),
            );
        table.write_record(head).map_err(RenderError::Csv)?;
        for row in rows {
            let mut cells = fixed(row);
            cells.extend(cut.iter().map(|code| number(row.closes_cut.get(code))));
            cells.extend(
                planned
                    .iter()
                    .map(|code| number(row.closes_planned.get(code))),
            );
            cells.extend(errors.iter().map(|&label| number(row.errors.get(label))));
            table.write_record(cells).map_err(RenderError::Csv)?;
        }
        table.into_inner().map_err(|error| RenderError::Write {
            file: file::SERIES,
            source: error.into_error(),
        })
    }
}

fn number(count: Option<&u64>) -> String {
    count.copied().unwrap_or(0).to_string()
}

fn fixed(row: &Second) -> Vec<String> {
    let before = [
        row.open,
        row.opened,
        row.reconnect_attempts,
        row.tokens_ok,
        row.tokens_failed,
    ];
    let ledger = Outcome::ALL.map(|outcome| row.delivery.of(outcome));
    let counts = before.into_iter().chain(ledger);
    let counts = counts.chain([row.delivery.copies, row.delivery.attempts]);
    let mut cells = vec![format::stamp(row.at_us)];
    cells.extend(counts.map(|count| count.to_string()));
    let latency =
        |pick: fn(&Summary) -> String| row.complete.as_ref().map_or_else(String::new, pick);
    cells.push(latency(|of| of.count.to_string()));
    cells.push(latency(|of| format!("{:.1}", of.mean_us)));
    cells.push(latency(|of| of.p50_us.to_string()));
    cells.push(latency(|of| of.p99_us.to_string()));
    cells.push(latency(|of| of.p999_us.to_string()));
    cells.push(latency(|of| of.max_us.to_string()));
    cells
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::render::sample::{Story, result};

    #[test]
    fn every_column_has_one_name_and_nothing_but_numbers() {
        for story in [Story::Pass, Story::Fail, Story::Interrupted] {
            let mut result = result(story);
            // A second in which nothing was answered.
            result.series.per_second[3].complete = None;
            let bytes = Series.render(&result).unwrap();
            let mut table = csv::Reader::from_reader(bytes.as_slice());
            let heads: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
            let names: BTreeSet<&String> = heads.iter().collect();
            assert_eq!(names.len(), heads.len(), "{heads:?}");
            let mut sent = 0;
            let mut rows = 0;
            // A row of another length is an error of the reader.
            for row in table.records() {
                let row = row.unwrap();
                for (head, cell) in heads.iter().zip(row.iter()) {
                    let number = cell.parse::<f64>().is_ok_and(f64::is_finite);
                    let unmeasured = cell.is_empty() && head.starts_with("complete_");
                    assert!(number || unmeasured, "{head}: {cell}");
                    sent += if head == "sent" {
                        cell.parse().unwrap()
                    } else {
                        0
                    };
                }
                rows += 1;
            }
            assert_eq!(rows, result.series.per_second.len());
            assert_eq!(sent, result.delivery.sent);
        }
    }
}
