//! This module writes `summary.md`: the comment under a pull request.
//!
//! **In:** the decision. **Out:** Markdown as GitHub reads it: a heading, a table of at most ten lines, and the rest folded.
//! It begins with a [`marker`] that stays the same, so that a bot replaces its comment of before.

use super::cells;
use crate::format;
use crate::gate::comparison::{Decision, Row};
use crate::render::markdown::{escape, table};

/// Lines of the table that is not folded, head and rule among them.
const LINES_MAX: usize = 10;

/// The first line: which comment it is, whatever it says.
pub(crate) fn marker(decision: &Decision) -> String {
    let fits = |letter: &char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let title: String = decision.title.chars().filter(fits).collect();
    // Two hyphens would end the comment.
    format!("<!-- harness-gate: {} -->", title.replace("--", "-"))
}

/// The comment.
pub(crate) fn text(decision: &Decision) -> String {
    let look = cells::outcome(decision.outcome);
    let title = escape(&cells::title(decision));
    let mut lines = vec![
        marker(decision),
        format!("### {} {title}: {}", look.mark, escape(&decision.sentence)),
        String::new(),
    ];
    for refusal in &decision.refusals {
        let (fact, hint) = (escape(&refusal.fact), escape(&refusal.hint));
        lines.push(format!("- {fact}: {hint}"));
    }
    if !decision.refusals.is_empty() {
        lines.push(String::new());
    }
    let (judged, shown) = cells::split(decision);
    let first = judged.len().min(LINES_MAX - 2);
    if !judged.is_empty() {
        lines.extend(rows(&judged[..first]));
    }
    let exit = decision.exit_code;
    let (word, design) = (look.word.to_lowercase(), cells::design(decision));
    let (base, new) = (escape(&decision.base.name), escape(&decision.new.name));
    lines.push(format!(
        "{word} (exit {exit}), {design}: {base} against {new}."
    ));
    lines.push(String::new());
    let rest: Vec<&Row> = judged[first..].iter().chain(&shown).copied().collect();
    lines.extend(details(decision, &rest));
    lines.join("\n") + "\n"
}

fn rows(rows: &[&Row]) -> Vec<String> {
    let heads = [
        "",
        "metric",
        "base",
        "new",
        "change",
        "95 % sure",
        "limit",
        "noise",
        "",
    ];
    let rows = rows.iter().map(|row| {
        let look = cells::word(row);
        let mut name = escape(&cells::name(row));
        let whole = |value| escape(&cells::value(row, value));
        let (mut base, mut new) = (whole(row.base_median), whole(row.new_median));
        if row.wait.is_some() {
            name = format!("{name} (own time)");
            base = format!("{} of {base}", whole(row.base_own_median));
            new = format!("{} of {new}", whole(row.new_own_median));
        }
        let mut change = cells::share(row.change_ratio);
        if look.class == "bad" {
            change = format!("**{change}**");
        }
        vec![
            look.mark.to_owned(),
            name,
            base,
            new,
            change,
            cells::interval(row),
            cells::share(row.limit_ratio),
            cells::reach(row.noise_ratio),
            look.word.to_owned(),
        ]
    });
    table(&heads, 2, rows)
}

fn details(decision: &Decision, rest: &[&Row]) -> Vec<String> {
    let mut lines = vec![
        "<details><summary>other metrics, counts, runs, rules</summary>".to_owned(),
        String::new(),
    ];
    if !rest.is_empty() {
        lines.extend(rows(rest));
    }
    let counts = cells::counts(decision).into_iter();
    let counts = counts
        .map(|(name, base, new)| vec![name.to_owned(), format::count(base), format::count(new)]);
    lines.extend(table(&["", "base", "new"], 1, counts));
    for note in &decision.notes {
        lines.push(format!("- {}", escape(note)));
    }
    let reasons = decision.rows.iter().filter_map(|row| {
        let reason = row.reason.as_ref()?;
        Some(format!(
            "- {}: {}",
            escape(&cells::name(row)),
            escape(reason)
        ))
    });
    lines.extend(reasons.take(LINES_MAX));
    lines.push(String::new());
    if let Some(found) = cells::found(decision) {
        lines.push(format!("{}.", escape(&found)));
    }
    lines.push(format!(
        "The change is the mean of logarithms of ratios, one a run; {} decides, the others after Holm. \
         A limit is the larger of {} and an absolute floor.",
        escape(&decision.rules.primary.to_string()),
        format::percent(decision.rules.relative_floor)
    ));
    lines.push(String::new());
    lines.push("</details>".to_owned());
    lines.into_iter().map(|line| format::plain(&line)).collect()
}
