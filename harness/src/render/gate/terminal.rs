//! This module writes a comparison for a terminal.
//!
//! **In:** the decision. **Out:** text of at most 80 columns, or as few as the terminal has. Colour only adds.

use super::cells;
use crate::format;
use crate::gate::comparison::{Decision, Role, Row};
use crate::render::column::{Column, GREEN, INDENT, RED, YELLOW, columns, paint};
use crate::render::terminal::{Style, WIDTH, WIDTH_MIN};

/// Spaces before a row, and between its cells.
const LEAD: &str = "   ";

/// The account, ending in a line break. `all`: also the metrics that decide nothing.
pub(crate) fn text(decision: &Decision, style: &Style, all: bool) -> String {
    let mut out = Column::new(style.width.clamp(WIDTH_MIN, WIDTH));
    let look = cells::outcome(decision.outcome);
    let color = match look.class {
        "pass" => GREEN,
        "fail" => RED,
        _ => YELLOW,
    };
    let title = cells::title(decision);
    let (word, exit) = (look.word, decision.exit_code);
    let rest = format!("  {title}: {}", cells::design(decision));
    let used = columns(word) + columns(&rest);
    let gap = (out.width.saturating_sub(used + 7)).max(2);
    let word = paint(word, color, style.color);
    out.line(&format!("{word}{rest}{:gap$}exit {exit}", ""));
    out.line("");
    out.paragraph("", &decision.sentence, 0);
    for (place, refusal) in decision.refusals.iter().enumerate() {
        // The first is the sentence.
        if place > 0 {
            out.paragraph("refused", &refusal.fact, INDENT);
        }
        out.paragraph("hint", &refusal.hint, INDENT);
    }
    let (judged, shown) = cells::split(decision);
    table(&mut out, &judged, style);
    if all {
        table(&mut out, &shown, style);
    }
    foot(&mut out, decision);
    if let Some(report) = &style.report {
        out.line("");
        out.labelled("report", &format::harmless(report));
    }
    out.text
}

fn foot(out: &mut Column, decision: &Decision) {
    out.line("");
    for (label, side) in [("base", &decision.base), ("new", &decision.new)] {
        let counts = side.counts;
        let text = format!(
            "{}: {} sent, {} lost, {} refused, {} cut",
            side.name,
            format::count(counts.sent),
            format::count(counts.lost),
            format::count(counts.refused),
            format::count(counts.cut)
        );
        out.paragraph(label, &text, INDENT);
    }
    if let Some(found) = cells::found(decision) {
        out.paragraph("power", &found, INDENT);
    }
    for note in &decision.notes {
        out.paragraph("note", note, INDENT);
    }
}

fn table(out: &mut Column, rows: &[&Row], style: &Style) {
    if rows.is_empty() {
        return;
    }
    out.line("");
    let heads = ["", "base", "new", "change", "95 % sure", "noise", ""].map(str::to_owned);
    let cells: Vec<[String; 7]> = rows.iter().map(|row| row_cells(row)).collect();
    let widest = |place: usize| {
        let all = cells
            .iter()
            .chain([&heads])
            .map(|cells| columns(&cells[place]));
        all.max().unwrap_or(0)
    };
    let widths: [usize; 7] = std::array::from_fn(widest);
    let wide = LEAD.len() + widths.iter().sum::<usize>() + widths.len() - 1;
    if wide <= out.width {
        out.line(&line(LEAD, &heads, &widths));
    }
    for (row, cells) in rows.iter().zip(&cells) {
        let look = cells::word(row);
        let mark = match (look.class, row.role) {
            ("bad", Role::Primary | Role::Judged) => format!(" {} ", paint("x", RED, style.color)),
            ("warn", Role::Primary) => format!(" {} ", paint("?", YELLOW, style.color)),
            _ => LEAD.to_owned(),
        };
        if wide <= out.width {
            out.line(&line(&mark, cells, &widths));
        } else {
            let [name, base, new, change, interval, noise, word] = cells;
            out.line(&format!("{mark}{name}: {word}"));
            let text = format!("{base} → {new}, {change} ({interval}; noise {noise})");
            out.paragraph("", &text, 5);
        }
        if let Some(own) = cells::own(row) {
            out.paragraph("", &format!("  {own}"), 5);
        }
        if let Some(reason) = row.reason.as_ref().filter(|_| row.role != Role::Shown) {
            out.paragraph("", reason, 5);
        }
    }
}

fn row_cells(row: &Row) -> [String; 7] {
    [
        cells::name(row),
        cells::value(row, row.base_median),
        cells::value(row, row.new_median),
        cells::share(row.change_ratio),
        cells::interval(row),
        cells::reach(row.noise_ratio),
        cells::word(row).word.to_owned(),
    ]
    .map(|text| format::plain(&text))
}

fn line(mark: &str, cells: &[String; 7], widths: &[usize; 7]) -> String {
    let mut text = mark.to_owned();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let gap = width.saturating_sub(columns(cell));
        let space = if place == 0 { "" } else { " " };
        let cell = match place {
            0 | 6 => format!("{space}{cell}{:gap$}", ""),
            _ => format!("{space}{:gap$}{cell}", ""),
        };
        text.push_str(&cell);
    }
    text.trim_end().to_owned()
}
