//! This module writes a history for a terminal: per series what each judged metric was and is, and where it changed.
//!
//! **In:** a trend. **Out:** text of at most 80 columns, or as few as the terminal has.

use super::cells;
use crate::format;
use crate::gate::trend::{MetricTrend, Series, Trend};
use crate::render::column::{Column, GREEN, INDENT, RED, columns, paint};
use crate::render::terminal::{Style, WIDTH, WIDTH_MIN};
use crate::render::words::plural;

/// The account, ending in a line break. `all`: also the metrics that no gate judges.
pub(crate) fn text(trend: &Trend, style: &Style, all: bool) -> String {
    let mut out = Column::new(style.width.clamp(WIDTH_MIN, WIDTH));
    out.paragraph("", &cells::sentence(trend), 0);
    for series in &trend.series {
        out.line("");
        let title = format!("{}, {}", series.title, plural(series.points.len(), "point"));
        out.paragraph("", &format!("{title} on {}", series.host), 0);
        let metrics: Vec<&MetricTrend> = series
            .metrics
            .iter()
            .filter(|of| all || of.judged)
            .collect();
        metrics_of(&mut out, series, &metrics, style);
    }
    if !trend.notes.is_empty() {
        out.line("");
    }
    for note in &trend.notes {
        out.paragraph("note", note, INDENT);
    }
    if let Some(report) = &style.report {
        out.line("");
        out.labelled("report", &format::harmless(report));
    }
    out.text
}

fn metrics_of(out: &mut Column, series: &Series, metrics: &[&MetricTrend], style: &Style) {
    let names: Vec<String> = metrics.iter().map(|of| cells::name(of)).collect();
    let widest = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    for (of, name) in metrics.iter().zip(names) {
        let (first, last) = cells::ends(of);
        let gap = widest - columns(&name);
        out.line(&format!(
            "   {name}{:gap$}  {:>9} → {:>9}",
            "",
            format::plain(&cells::value(of, first)),
            format::plain(&cells::value(of, last))
        ));
        for change in &of.changes {
            let (mark, color) = if change.change_ratio > 0.0 {
                ("x", RED)
            } else {
                ("v", GREEN)
            };
            let text = format::plain(&cells::change(series, of, change));
            out.paragraph(&format!("   {}", paint(mark, color, style.color)), &text, 5);
        }
    }
}
