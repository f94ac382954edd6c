//! This module writes `trend.html`: one file, offline, in the look of a run's report.
//!
//! **In:** a trend. **Out:** HTML: what changed, then per series its metrics, their charts and its points.

use maud::{Markup, html};

use super::cells;
use crate::format;
use crate::gate::trend::{MetricTrend, PointKind, Series, Trend};
use crate::render::gate::word_of;
use crate::render::html::document::document;
use crate::render::html::figure;
use crate::render::html::prose::prose;
use crate::render::html::table::{Cell, Table};
use crate::render::plot::Chart;
use crate::render::plot::trend::{self as plot, Said};
use crate::render::renderer::RenderError;
use crate::render::words::plural;

/// Series that are drawn; the others are named.
const SERIES_SHOWN: usize = 20;
/// So few metrics are all drawn.
const FEW: usize = 8;
/// Points that are listed, the newest first.
const POINTS_SHOWN: usize = 100;

pub(super) fn bytes(trend: &Trend) -> Result<Vec<u8>, RenderError> {
    let mut charts = Vec::new();
    for (place, series) in trend.series.iter().enumerate().take(SERIES_SHOWN) {
        charts.push(of_series(place, series)?);
    }
    let title = format!("Trend: {}", cells::sentence(trend));
    document(&title, &body(trend, &charts), &[])
}

/// The charts of the metrics that are shown first.
fn of_series(place: usize, series: &Series) -> Result<Vec<Chart>, RenderError> {
    let mut charts = Vec::new();
    let drawn = series.metrics.iter().enumerate();
    for (number, of) in drawn.filter(|(_, of)| is_first(series, of)) {
        let said = Said {
            id: format!("metric-{}-{}", place + 1, number + 1),
            title: format!("`{}`", cells::name(of)),
            finding: finding(series, of),
        };
        charts.extend(plot::chart(of, said)?);
    }
    Ok(charts)
}

/// Those that a gate judges; all of a few that were asked for.
fn is_first(series: &Series, of: &MetricTrend) -> bool {
    of.judged || series.metrics.len() <= FEW
}

fn finding(series: &Series, of: &MetricTrend) -> String {
    let mut text = match of.changes.as_slice() {
        [] => "No change of level.".to_owned(),
        changes => {
            let told = changes
                .iter()
                .map(|change| cells::change(series, of, change));
            format!("{}.", told.collect::<Vec<_>>().join("; "))
        }
    };
    if let Some(wait) = of.wait {
        let wait = format::duration_f64(wait);
        format::append(
            &mut text,
            format_args!(" Without the planned wait of {wait}."),
        );
    }
    text
}

fn body(trend: &Trend, charts: &[Vec<Chart>]) -> Markup {
    let changed = trend.series.iter().flat_map(|series| &series.metrics);
    let worse = changed
        .filter(|of| of.judged)
        .flat_map(|of| &of.changes)
        .any(|change| change.change_ratio > 0.0);
    html! {
        main {
            header {
                div class={ "verdict " (if worse { "warn" } else { "pass" }) } {
                    span.badge { "TREND" }
                    h1 { (cells::sentence(trend)) "." }
                    p { (cells::method()) }
                }
                nav aria-label="On this page" {
                    ul {
                        @for (place, series) in trend.series.iter().enumerate().take(SERIES_SHOWN) {
                            li { a href={ "#series-" (place + 1) } { (format::harmless(&series.title)) } }
                        }
                    }
                }
            }
            @for (place, (series, charts)) in trend.series.iter().zip(charts).enumerate() {
                section id={ "series-" (place + 1) } {
                    h2 { (format::harmless(&series.title)) }
                    ul.meta {
                        li { (plural(series.points.len(), "point")) }
                        li { (format::harmless(&series.host.to_string())) }
                        li { code { (format::harmless(&series.scenario)) } }
                        li { "load " code { (cells::short(&series.load)) } }
                    }
                    (metrics(series, true, "Each value is the median over the runs of a point."))
                    @for chart in charts { (figure::figure(chart)) }
                    @if series.metrics.iter().any(|of| !is_first(series, of)) {
                        (metrics(series, false, "All other metrics: no gate judges them where nobody asks for it."))
                    }
                    (points(series))
                }
            }
            @if trend.series.len() > SERIES_SHOWN {
                p { "And " (plural(trend.series.len() - SERIES_SHOWN, "shorter one")) ", in " code { "trend.json" } "." }
            }
            @if !trend.notes.is_empty() {
                section id="notes" {
                    h2 { "Left out" }
                    ul { @for note in &trend.notes { li { (prose(note)) } } }
                }
            }
            footer { "Drawn from the numbers in " code { "trend.json" } "; nothing is computed here." }
        }
    }
}

fn metrics(series: &Series, first: bool, caption: &str) -> Markup {
    let row = |of: &MetricTrend| {
        let (first, last) = cells::ends(of);
        let changes: Vec<String> = of
            .changes
            .iter()
            .map(|change| cells::change(series, of, change))
            .collect();
        let (class, changes) = match of.changes.last() {
            None => ("", "none".to_owned()),
            Some(last) if last.change_ratio > 0.0 => ("bad", changes.join("; ")),
            Some(_) => ("good", changes.join("; ")),
        };
        let mut name = Cell::text(cells::name(of));
        if let Some(wait) = of.wait {
            let wait = format::duration_f64(wait);
            name = name.note(prose(&format!("without the planned wait of {wait}")));
        }
        vec![
            name,
            Cell::text(cells::value(of, first)),
            Cell::text(cells::value(of, last)),
            Cell::text(changes).class(class),
        ]
    };
    let metrics = series.metrics.iter();
    let metrics = metrics.filter(|of| is_first(series, of) == first);
    let table = Table {
        caption: html! { (caption) },
        class: "stack",
        heads: Table::heads(&["metric", "oldest", "newest", "changes of level"]),
        rows: metrics.map(row).collect(),
    };
    table.markup()
}

fn points(series: &Series) -> Markup {
    let row = |(place, point): (usize, &crate::gate::trend::Point)| {
        let kind = match point.kind {
            PointKind::Baseline => "baseline",
            PointKind::GateBase => "base of a gate",
            PointKind::GateNew => "new side of a gate",
        };
        let commit = point.commit.as_deref();
        vec![
            Cell::text((place + 1).to_string()),
            Cell::text(cells::moment(&point.at)),
            Cell::text(commit.map_or_else(|| format::NONE.to_owned(), cells::short)),
            Cell::text(format!("{kind} {}", format::harmless(&point.name))),
            Cell::text(point.runs.to_string()),
            Cell::text(point.outcome.map_or(format::NONE, word_of)),
            Cell::text(format::harmless(&point.file)),
        ]
    };
    let newest = series.points.iter().enumerate().rev().take(POINTS_SHOWN);
    let table = Table {
        caption: html! { "The newest first." },
        class: "stack",
        heads: Table::heads(&["point", "began", "commit", "what", "runs", "answer", "file"]),
        rows: newest.map(row).collect(),
    };
    table.markup()
}
