//! This module writes `capacity.md`: the answer for a ticket or a pull request.

use super::cells;
use crate::capacity::account::Answer;
use crate::format::{self, append};
use crate::render::markdown::escape;

/// The text, ending in a line break.
pub(super) fn text(answer: &Answer) -> String {
    let asked = &answer.asked;
    let look = cells::answer(answer);
    let mut text = format!(
        "### {} capacity of {}: {}\n\n{}\n\n",
        look.mark,
        escape(&asked.title),
        look.word,
        escape(&answer.sentence)
    );
    let unit = asked.axis.unit();
    append(
        &mut text,
        format_args!(
            "| {unit} | answered | p50 | p99 | fullest | |\n|---:|---:|---:|---:|---|---|\n"
        ),
    );
    let mut probes: Vec<_> = answer.probes.iter().collect();
    probes.sort_by_key(|probe| probe.load);
    for probe in probes {
        append(
            &mut text,
            format_args!(
                "| {} | {} | {} | {} | {} | {} |\n",
                format::count(probe.load),
                cells::rate_or_none(probe.answered_per_s),
                cells::time(probe.p50_us),
                cells::time(probe.p99_us),
                escape(&cells::fullest(probe)),
                cells::came(probe.came).word
            ),
        );
    }
    if let Some(outlook) = &answer.outlook {
        text.push_str("\n| plan | | from |\n|---|---:|---|\n");
        for figure in &outlook.figures {
            append(
                &mut text,
                format_args!(
                    "| {} | {} | {} |\n",
                    escape(&figure.name),
                    escape(&figure.text),
                    escape(&cells::basis(figure))
                ),
            );
        }
    }
    used(&mut text, answer);
    text.push('\n');
    for line in cells::scaling(answer) {
        append(&mut text, format_args!("- {}\n", escape(&line)));
    }
    for note in &answer.notes {
        append(&mut text, format_args!("- {}\n", escape(note)));
    }
    append(&mut text, format_args!("\n`{}`\n", escape(&asked.command)));
    text
}

/// What was used at the limit.
fn used(text: &mut String, answer: &Answer) {
    let Some(probe) = cells::at_limit(answer) else {
        return;
    };
    let (load, unit) = (format::count(probe.load), answer.asked.axis.unit());
    append(
        text,
        format_args!("\n| used at {load} {unit} | | share |\n|---|---:|---:|\n"),
    );
    for of in &probe.uses {
        let (what, used) = (escape(&of.what), escape(&of.text));
        append(
            text,
            format_args!("| {what} | {used} | {} |\n", cells::share(of)),
        );
    }
}
