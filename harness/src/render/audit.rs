//! This module turns an audit into what people and machines read.
//!
//! **In:** an [`Audit`]. **Out:** text for a terminal, and the files of a folder. Nothing is judged here.

use super::column::{Column, GREEN, RED, YELLOW, columns, paint};
use super::markdown::escape;
use super::renderer::RenderError;
use super::terminal::{Style, WIDTH, WIDTH_MIN};
use super::words::Look;
use crate::audit::{Audit, Row, Verdict};
use crate::exit::Exit;
use crate::format::{self, append};

/// The audit itself.
const JSON: &str = "audit.json";
/// For a ticket or a pull request.
pub(crate) const MARKDOWN: &str = "audit.md";
/// What is bad comes first.
const ORDER: [(Verdict, &str); 4] = [
    (Verdict::Broke, "broke"),
    (Verdict::Inconclusive, "inconclusive"),
    (Verdict::Held, "held"),
    (Verdict::Untried, "cannot be tried here"),
];

/// The files of an audit: their names and bytes.
///
/// # Errors
///
/// [`RenderError::Json`] where the harness is wrong.
pub(crate) fn files(audit: &Audit) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
    let mut json = serde_json::to_vec_pretty(audit).map_err(RenderError::Json)?;
    json.push(b'\n');
    Ok(vec![(JSON, json), (MARKDOWN, markdown(audit).into_bytes())])
}

fn look(audit: &Audit) -> Look {
    let (word, mark, class) = match Exit::of(audit.exit_code) {
        Exit::Interrupted => ("INTERRUPTED", "■", "warn"),
        Exit::Pass => ("HELD", "✓", "pass"),
        Exit::Incorrect => ("BROKE", "✗", "fail"),
        _ => ("INCONCLUSIVE", "?", "warn"),
    };
    Look { word, mark, class }
}

fn rows(audit: &Audit, verdict: Verdict) -> impl Iterator<Item = &Row> {
    audit.rows.iter().filter(move |row| row.verdict == verdict)
}

/// `24 chunk-reorder`.
fn named(row: &Row) -> String {
    format!("{:>2} {}", row.row, row.name.name())
}

/// What a row rests on, and what it may follow from.
fn proof(row: &Row) -> String {
    let mut text = if row.by.is_empty() {
        row.proof.clone()
    } else {
        format!("{}: {}", row.by, row.proof)
    };
    let causes: Vec<String> = row
        .follows_from
        .iter()
        .map(|known| format!("{} {}", known.row(), known.name()))
        .collect();
    if !causes.is_empty() {
        append(
            &mut text,
            format_args!("; may follow from {}", causes.join(", ")),
        );
    }
    text
}

/// Rows that have one reason together, in the order of their first.
fn by_reason(audit: &Audit) -> Vec<(&str, Vec<String>)> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for row in rows(audit, Verdict::Untried) {
        let name = format!("{} {}", row.row, row.name.name());
        match reasons.iter_mut().find(|(why, _)| *why == row.proof) {
            Some((_, names)) => names.push(name),
            None => reasons.push((&row.proof, vec![name])),
        }
    }
    reasons
}

/// The table and the sum of it, ending in a line break.
pub(crate) fn text(audit: &Audit, style: &Style) -> String {
    /// Where a proof begins: behind the longest name.
    const PROOF: usize = 33;
    let mut out = Column::new(style.width.clamp(WIDTH_MIN, WIDTH));
    let look = look(audit);
    let colour = |verdict| match verdict {
        Verdict::Broke => RED,
        Verdict::Held => GREEN,
        Verdict::Inconclusive | Verdict::Untried => YELLOW,
    };
    let of_all = match look.class {
        "pass" => GREEN,
        "fail" => RED,
        _ => YELLOW,
    };
    let target = audit.target.as_deref().unwrap_or("its own server");
    let rest = format!(
        "  {}, {}",
        format::harmless(&audit.title),
        format::harmless(target)
    );
    let exit = format!("exit {}", audit.exit_code);
    let used = columns(look.word) + columns(&rest) + columns(&exit);
    let gap = out.width.saturating_sub(used).max(2);
    let word = paint(look.word, of_all, style.color);
    out.line(&format!("{word}{rest}{:gap$}{exit}", ""));
    out.line("");
    out.paragraph("", &audit.sentence, 0);
    for (verdict, word) in ORDER {
        let number = audit.count(verdict);
        if number == 0 {
            continue;
        }
        out.line("");
        let head = format!("{word}: {number}");
        out.line(&paint(&head, colour(verdict), style.color));
        if verdict == Verdict::Untried {
            for (why, names) in by_reason(audit) {
                out.paragraph("", &format!("{}: {why}", names.join(", ")), 2);
            }
            continue;
        }
        for row in rows(audit, verdict) {
            let label = format!("  {}", named(row));
            out.paragraph(&label, &proof(row), PROOF);
        }
    }
    if let Some(report) = &style.report {
        out.line("");
        out.labelled("report", &format::harmless(report));
    }
    out.text
}

/// The text, ending in a line break.
fn markdown(audit: &Audit) -> String {
    let look = look(audit);
    let mut text = format!(
        "### {} audit of {}: {}\n\n{}\n\n| | known failure | verdict | |\n|---:|---|---|---|\n",
        look.mark,
        escape(&audit.title),
        look.word,
        escape(&audit.sentence)
    );
    for (verdict, word) in ORDER {
        for row in rows(audit, verdict) {
            append(
                &mut text,
                format_args!(
                    "| {} | {} | {word} | {} |\n",
                    row.row,
                    row.name.name(),
                    escape(&proof(row))
                ),
            );
        }
    }
    text.push_str("\n| run | exit | |\n|---|---:|---|\n");
    for phase in &audit.phases {
        let exit = phase
            .exit_code
            .map_or_else(String::new, |code| code.to_string());
        append(
            &mut text,
            format_args!(
                "| {} | {exit} | {} |\n",
                escape(phase.folder.as_deref().unwrap_or(&phase.name)),
                escape(&phase.sentence)
            ),
        );
    }
    append(
        &mut text,
        format_args!("\n`{}`\n", audit.command.replace('`', "'")),
    );
    text
}
