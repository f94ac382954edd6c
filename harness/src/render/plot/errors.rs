//! This module draws what went wrong for clients in each second, by kind.
//!
//! **In:** `series.per_second`, and the words that came with each kind. **Out:** bars on a log axis, so that one error beside
//! thousands can be seen; no chart where nothing went wrong.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::Axis;
use super::chart::Chart;
use super::frame::Frame;
use super::palette;
use super::per_second::{Grouped, row_name};
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::result::RunResult;
use crate::units::seconds;

/// Kinds with a colour of their own, commonest first; the last is for all others.
const LOOKS: [(&str, RGBColor); 5] = [
    ("error-1", palette::SERIES_2),
    ("error-2", palette::SERIES_3),
    ("error-3", palette::SERIES_1),
    ("error-4", palette::SERIES_4),
    ("error-5", palette::BASE),
];
/// Letters of the words that came with a kind.
const WORDS_MAX: usize = 80;

pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let kinds = kinds(result);
    if kinds.is_empty() {
        return Ok(None);
    }
    let place = |label: &str| {
        let known = kinds.iter().position(|(kind, _)| *kind == label);
        known.unwrap_or(LOOKS.len()).min(LOOKS.len() - 1)
    };
    let rows = result.series.per_second.iter().map(|row| {
        let mut groups: BTreeMap<usize, u64> = BTreeMap::new();
        for (label, count) in row.errors.iter().filter(|(_, count)| **count > 0) {
            let group = groups.entry(place(label)).or_insert(0);
            *group = group.saturating_add(*count);
        }
        groups
    });
    let counts = Grouped {
        rows: rows.collect(),
        step: seconds(result.series.second_us),
    };
    let others = kinds.len().saturating_sub(LOOKS.len() - 1);
    let looks = LOOKS.iter().enumerate().take(kinds.len());
    let series = looks.map(|(place, look)| {
        let told = match kinds.get(place) {
            Some((kind, _)) if place + 1 < LOOKS.len() || others == 1 => format::harmless(kind),
            Some(_) | None => format!("{others} other kinds"),
        };
        counts.bars(place, *look, (told.clone(), told))
    });
    let sketch = Sketch {
        id: "errors".into(),
        title: format!("Failures per {}, by kind", row_name(result)),
        subject: "Failures of clients over the run",
        finding: finding(result, &kinds),
        series: series.collect(),
    };
    let chart = sketch.draw(|width| Frame {
        height: 110,
        y: Axis::log_count(counts.most()),
        ..Frame::over_time(result, width)
    });
    chart.map(Some)
}

/// Kinds with their counts over the run, most first.
fn kinds(result: &RunResult) -> Vec<(&str, u64)> {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &result.series.per_second {
        for (label, count) in row.errors.iter().filter(|(_, count)| **count > 0) {
            let kind = all.entry(label.as_str()).or_insert(0);
            *kind = kind.saturating_add(*count);
        }
    }
    let mut all: Vec<(&str, u64)> = all.into_iter().collect();
    all.sort_by_key(|&(_, count)| Reverse(count));
    all
}

/// `unavailable: 99 (“try again later”); upgrade 503: 12.`
fn finding(result: &RunResult, kinds: &[(&str, u64)]) -> String {
    let words = |kind: &str| {
        let mut all = result.failures.iter();
        let found = all.find(|failure| failure.label == kind && !failure.words.is_empty())?;
        let words = format::harmless(found.words.first()?).replace('`', "'");
        let short: String = words.chars().take(WORDS_MAX).collect();
        let cut = if short.len() < words.len() { "…" } else { "" };
        Some(format!(" (“{short}{cut}”)"))
    };
    let each = kinds.iter().take(LOOKS.len()).map(|&(kind, count)| {
        let count = format::count(count);
        let words = words(kind).unwrap_or_default();
        format!("{}: {count}{words}", format::harmless(kind))
    });
    let each: Vec<String> = each.collect();
    let more = if kinds.len() > LOOKS.len() {
        "; the others stand in the table of failures"
    } else {
        ""
    };
    format!("{}{more}. Log scale.", each.join("; "))
}
