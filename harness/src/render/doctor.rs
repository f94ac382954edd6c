//! This module writes what an examination found, for people.
//!
//! **In:** a [`Report`]. **Out:** text of at most 80 columns, but for words that are longer. Color only
//! adds: every row says its word.

use super::column::{Color, GREEN, RED, paint, wrap};
use crate::doctor::{Entry, Outcome, Report};
use crate::format;
use crate::format::append;

const WIDTH: usize = 80;
/// Where a row's facts begin.
const INDENT: usize = 33;

/// The table of steps and the sum of it, ending in a line break.
pub(crate) fn text(report: &Report, color: Color) -> String {
    let mut out = format!("{}\n\n", format::harmless(&report.url));
    let tried = |entry: &&Entry| entry.outcome != Outcome::Skipped;
    for entry in report.steps.iter().filter(tried) {
        row(&mut out, entry, color);
    }
    not_tried(&mut out, report);
    let count = |wanted| {
        let entries = report.steps.iter();
        entries.filter(|entry| entry.outcome == wanted).count()
    };
    let verdict = if report.healthy {
        paint("healthy", GREEN, color)
    } else {
        paint("not healthy", RED, color)
    };
    let us = report.steps.iter().map(|entry| entry.us).sum();
    append(
        &mut out,
        format_args!(
            "\n{verdict}: {} ok, {} failed, {} not tried, {}\n",
            count(Outcome::Ok),
            count(Outcome::Failed),
            count(Outcome::Skipped),
            format::plain(&format::duration(us)),
        ),
    );
    out
}

/// Steps that were not tried, together where they have one reason.
fn not_tried(out: &mut String, report: &Report) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in &report.steps {
        if entry.outcome != Outcome::Skipped {
            continue;
        }
        let word = entry.step.word();
        match reasons.iter_mut().find(|(reason, _)| *reason == entry.fact) {
            Some((_, steps)) => steps.push(word),
            None => reasons.push((&entry.fact, vec![word])),
        }
    }
    for (reason, steps) in reasons {
        let text = format!("not tried: {}; {reason}", steps.join(", "));
        for line in wrap(&text, WIDTH - 2) {
            append(out, format_args!("  {line}\n"));
        }
    }
}

fn row(out: &mut String, entry: &Entry, color: Color) {
    let took = format::plain(&format::duration(entry.us));
    let mut lines = wrap(&entry.fact, WIDTH - INDENT);
    if let Some(failure) = &entry.failure {
        lines.push(format!("known failure {}: {}", failure.row, failure.name));
    }
    if let Some(cure) = &entry.cure {
        lines.extend(wrap(&format!("cure: {cure}"), WIDTH - INDENT));
    }
    let word = match entry.outcome {
        Outcome::Failed => paint("FAILED  ", RED, color),
        Outcome::Ok | Outcome::Skipped => "ok      ".to_owned(),
    };
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let step = entry.step.word();
    append(out, format_args!("  {word}{step:<12}{took:>9}  {first}\n"));
    for line in lines {
        append(out, format_args!("{:INDENT$}{line}\n", ""));
    }
}

/// The same for programs.
pub(crate) fn json(report: &Report) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
