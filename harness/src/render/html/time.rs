//! This module writes the part of the page that runs over time, as charts and as a table.
//!
//! **In:** the charts and the per-second series. **Out:** HTML.

use maud::{Markup, html};

use super::figure::figure;
use super::table::{Cell, Table};
use crate::format;
use crate::render::plot::Chart;
use crate::result::{RunResult, Second};
use crate::scenario::expectation::Outcome;

/// Rows of the table; a longer run has them in `series.csv`.
const ROWS_MAX: usize = 600;
/// Outcomes of messages in it: sent, and how they ended.
const SHOWN: &[Outcome] = Outcome::ALL.split_at(5).0;

pub(crate) fn section(result: &RunResult, charts: &[Chart]) -> Markup {
    html! {
        p.hint {
            "One cursor moves through all charts: point, or use the arrow keys. Drag to look closer, with shift to move along; click to pin a
             moment, and its address leads there again. A legend entry hides its line."
        }
        div.tools role="group" aria-label="Time shown by all charts" {
            button type="button" data-do="closer" { "Closer" }
            button type="button" data-do="wider" { "Wider" }
            button type="button" data-do="back" { "← Earlier" }
            button type="button" data-do="on" { "Later →" }
            button type="button" data-do="all" { "Whole run" }
        }
        @for chart in charts { (figure(chart)) }
        details {
            summary { "The same, second by second, as a table" }
            (seconds(result))
        }
    }
}

fn seconds(result: &RunResult) -> Markup {
    let rows = &result.series.per_second;
    let left = rows.len().saturating_sub(ROWS_MAX);
    let step = format::round_duration(result.series.second_us as f64);
    Table {
        caption: html! {
            "Every " (step) ", by intended send"
            @if left > 0 { "; the first " (ROWS_MAX) " rows, " (format::count(left as u64)) " more are in " code { "series.csv" } }
        },
        class: "dense",
        heads: ["From".to_owned()]
            .into_iter()
            .chain(SHOWN.iter().map(|of| format::capital(of.words())))
            .chain(["p50", "p99", "Max", "Open", "Opened", "Cut"].map(str::to_owned))
            .collect(),
        rows: rows.iter().take(ROWS_MAX).map(second).collect(),
    }
    .markup()
}

fn second(row: &Second) -> Vec<Cell> {
    let us = |pick: fn(&crate::result::Summary) -> u64| {
        Cell::text(format::duration_or_none(row.complete.as_ref().map(pick)))
    };
    let counts = SHOWN
        .iter()
        .map(|outcome| Cell::ledger(*outcome, &row.delivery));
    [Cell::text(format::rough_stamp(row.at_us))]
        .into_iter()
        .chain(counts)
        .chain([
            us(|of| of.p50_us),
            us(|of| of.p99_us),
            us(|of| of.max_us),
            Cell::count(row.open),
            Cell::count(row.opened),
            Cell::count(row.closes_cut.values().sum()),
        ])
        .collect()
}
