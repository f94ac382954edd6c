//! This module writes the answer of a search for a terminal.
//!
//! **In:** an answer. **Out:** text of at most 80 columns, or as few as the terminal has. Colour only adds.

use super::cells;
use crate::capacity::account::Answer;
use crate::format;
use crate::render::column::{Column, GREEN, INDENT, RED, YELLOW, columns, paint};
use crate::render::terminal::{Style, WIDTH, WIDTH_MIN};
use crate::render::words::plural;

/// Things that are named of those that can be full.
const FULLEST: usize = 5;

/// The account, ending in a line break.
pub(crate) fn text(answer: &Answer, style: &Style) -> String {
    let mut out = Column::new(style.width.clamp(WIDTH_MIN, WIDTH));
    let look = cells::answer(answer);
    let color = match look.class {
        "pass" => GREEN,
        "fail" => RED,
        _ => YELLOW,
    };
    let title = format::harmless(&answer.asked.title);
    let rest = format!("  {title}: {}", plural(answer.probes.len(), "probe"));
    let exit = format!("exit {}", answer.exit_code);
    let used = columns(look.word) + columns(&rest) + columns(&exit);
    let gap = out.width.saturating_sub(used).max(2);
    let word = paint(look.word, color, style.color);
    out.line(&format!("{word}{rest}{:gap$}{exit}", ""));
    out.line("");
    out.paragraph("", &answer.sentence, 0);
    ladder(&mut out, answer);
    out.line("");
    let figures = answer.outlook.iter().flat_map(|outlook| &outlook.figures);
    for figure in figures {
        let text = format!(
            "{}: {} ({})",
            figure.name,
            figure.text,
            cells::basis(figure)
        );
        out.paragraph("plan", &format::plain(&text), INDENT);
    }
    at_limit(&mut out, answer);
    for line in cells::scaling(answer) {
        out.paragraph("model", &format::plain(&line), INDENT);
    }
    for note in &answer.notes {
        out.paragraph("note", &format::plain(note), INDENT);
    }
    if let Some(report) = &style.report {
        out.line("");
        out.labelled("report", &format::harmless(report));
    }
    out.text
}

/// What was used at the limit: what was fullest, and what has no limit.
fn at_limit(out: &mut Column, answer: &Answer) {
    let Some(probe) = cells::at_limit(answer) else {
        return;
    };
    let limited = probe.uses.iter().filter(|of| of.share_ratio.is_some());
    let unlimited = probe.uses.iter().filter(|of| of.share_ratio.is_none());
    let load = format::count(probe.load);
    for of in limited.take(FULLEST).chain(unlimited) {
        let share = of.share_ratio.map_or_else(String::new, |ratio| {
            format!(" ({})", format::percent(ratio))
        });
        let text = format!("at {load}: {}, {}{share}", of.what, of.text);
        out.paragraph("used", &format::plain(&text), INDENT);
    }
}

/// The loads in ascending order.
fn ladder(out: &mut Column, answer: &Answer) {
    let mut probes: Vec<_> = answer.probes.iter().collect();
    probes.sort_by_key(|probe| probe.load);
    if probes.is_empty() {
        return;
    }
    out.line("");
    out.line(&format!(
        "{:>10}  {:>11}  {:>9}  {:>9}  {:>9}",
        answer.asked.axis.unit(),
        "answered",
        "p50",
        "p99",
        "in flight"
    ));
    for probe in probes {
        let in_flight = probe.in_flight.map_or_else(
            || format::NONE.to_owned(),
            |count| format::count_f64(count.round()),
        );
        out.line(&format::plain(&format!(
            "{:>10}  {:>11}  {:>9}  {:>9}  {:>9}  {}",
            format::count(probe.load),
            cells::rate_or_none(probe.answered_per_s),
            cells::time(probe.p50_us),
            cells::time(probe.p99_us),
            in_flight,
            cells::came(probe.came).word
        )));
    }
}
