//! This module writes `summary.md`, for the comment under a pull request.
//!
//! **In:** the result. **Out:** Markdown as GitHub reads it: at most 20 lines before the details.
//! Text from outside is escaped, mentions and links included.

use super::renderer::{RenderError, Renderer};
use super::{failure, file, view, words};
use crate::format;
use crate::result::{CheckStatus, ExpectationResult, RunResult, Status, bound_text, observed_text};
use crate::scenario::expectation::Outcome;

/// `summary.md`.
pub(crate) struct Summary;

/// Rows of broken or undecided expectations before the details.
const ROWS_MAX: usize = 9;
/// Held rows shown beside broken ones, and alone.
const HELD_BESIDE: usize = 1;
const HELD_ALONE: usize = 5;
/// Findings named in the heading.
const HEADLINES_MAX: usize = 3;

impl Renderer for Summary {
    fn file(&self) -> &'static str {
        file::SUMMARY
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        Ok(text(result).into_bytes())
    }
}

fn text(result: &RunResult) -> String {
    let rows = view::expectations(result);
    let (broke, open, held) = view::tally(result);
    let troubled = (broke + open).min(ROWS_MAX);
    let room = if troubled > 0 {
        HELD_BESIDE
    } else {
        HELD_ALONE
    };
    let shown = troubled + held.min(room);
    let mut lines = vec![heading(result), String::new()];
    if !rows.is_empty() {
        lines.extend(expectations(&rows[..shown]));
    }
    lines.push(trust(result));
    if !result.errors.is_empty() {
        lines.push(String::new());
        lines.push(format!("Errors: {}.", escape(&failure::line(result))));
    }
    lines.push(String::new());
    lines.extend(details(result, &rows[shown..]));
    lines.push(String::new());
    lines.join("\n")
}

fn heading(result: &RunResult) -> String {
    let look = words::status(result.verdict.status);
    let title = escape(&result.run.title);
    let (word, said) = match result.verdict.status {
        Status::Pass => {
            let (_, _, held) = view::tally(result);
            (
                String::new(),
                format!("{} held", words::plural(held, "expectation")),
            )
        }
        Status::Fail => (String::new(), broken(result)),
        Status::Invalid | Status::Inconclusive | Status::Interrupted => {
            (format!("{} ", look.word), escape(&result.verdict.sentence))
        }
    };
    format!("### {} {word}{title}: {said}", look.mark)
}

/// The broken expectations, worst first; what broke without one is in the sentence.
fn broken(result: &RunResult) -> String {
    let rows = view::expectations(result);
    let rows = rows
        .into_iter()
        .filter(|row| row.status == CheckStatus::Broke);
    let said: Vec<String> = rows.take(HEADLINES_MAX).map(headline).collect();
    if said.is_empty() {
        escape(&result.verdict.sentence)
    } else {
        said.join(", ")
    }
}

fn headline(row: &ExpectationResult) -> String {
    format::plain(&format!(
        "{} {} (limit {})",
        escape(&row.name),
        observed_text(row),
        bound_text(row)
    ))
}

/// A table and the empty line after it; columns from the place `right` on are flush right.
pub(super) fn table(
    heads: &[&str],
    right: usize,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Vec<String> {
    let named = heads.iter().map(|head| match *head {
        "" => "| ".to_owned(),
        head => format!("| {head} "),
    });
    let rule = "---|".repeat(right) + &"---:|".repeat(heads.len() - right);
    let mut lines = vec![named.collect::<String>() + "|", format!("|{rule}")];
    let rows = rows.into_iter();
    lines.extend(rows.map(|cells| format::plain(&format!("| {} |", cells.join(" | ")))));
    lines.push(String::new());
    lines
}

fn expectations(rows: &[&ExpectationResult]) -> Vec<String> {
    let heads = [&[""], &view::EXPECTATION_HEADS[..]].concat();
    let rows = rows.iter().map(|row| {
        let cells = view::expectation_cells(row);
        let [name, when, mut observed, limit, mut used] = cells.map(|cell| escape(&cell));
        if row.status == CheckStatus::Broke {
            observed = format!("**{observed}**");
        }
        if used.is_empty() {
            format::NONE.clone_into(&mut used);
        }
        let mark = words::check(row.status).mark.to_owned();
        vec![mark, name, when, observed, limit, used]
    });
    table(&heads, 3, rows)
}

/// Whether it can be trusted; where that is the heading already, what else there is.
fn trust(result: &RunResult) -> String {
    let verdict = &result.verdict;
    let said = match verdict.status {
        Status::Invalid if verdict.also.is_empty() => String::new(),
        Status::Invalid => format!("Also: {}. ", escape(&verdict.also.join("; "))),
        Status::Pass | Status::Fail | Status::Inconclusive | Status::Interrupted => {
            format!("{} ", escape(verdict.trust.trim()))
        }
    };
    format!(
        "{said}Exit {}. [Report](report.html) of run {}.",
        result.exit_code,
        escape(&result.run.id)
    )
}

fn details(result: &RunResult, rest: &[&ExpectationResult]) -> Vec<String> {
    let lead = if rest.is_empty() {
        String::new()
    } else {
        format!("{} more, ", rest.len())
    };
    let mut lines = vec![
        format!(
            "<details><summary>{lead}checks, ledger, environment, how to run it again</summary>"
        ),
        String::new(),
    ];
    if !rest.is_empty() {
        lines.extend(expectations(rest));
    }
    lines.extend(checks(result));
    lines.extend(windows(result));
    for fault in &result.faults {
        lines.push(format!("- {}", escape(&words::fault(fault))));
    }
    for condition in &result.conditions {
        lines.push(format!("- {}", escape(&words::condition(condition))));
    }
    if !result.faults.is_empty() || !result.conditions.is_empty() {
        lines.push(String::new());
    }
    lines.extend(environment(result));
    lines.push("</details>".to_owned());
    lines
}

fn checks(result: &RunResult) -> Vec<String> {
    if result.checks.is_empty() {
        return Vec::new();
    }
    let rows = view::checks(result).into_iter().map(|check| {
        let texts = [&check.name, &check.observed, &check.bound];
        let [name, observed, bound] = texts.map(|text| escape(text));
        let mark = words::check(check.status).mark.to_owned();
        vec![mark, name, observed, bound]
    });
    table(&["", "check", "observed", "limit"], 2, rows)
}

fn windows(result: &RunResult) -> Vec<String> {
    let each = result.windows.iter();
    let each = each.map(|window| (escape(&window.name), window.delivery));
    let whole = ("**whole run**".to_owned(), result.delivery);
    let rows = each.chain([whole]).map(|(name, of)| {
        let columns = result.delivery.columns();
        let counts = columns.map(|outcome| format::count(of.of(outcome)));
        [name].into_iter().chain(counts).collect()
    });
    let columns = result.delivery.columns().map(Outcome::words);
    let heads: Vec<&str> = ["window"].into_iter().chain(columns).collect();
    table(&heads, 1, rows)
}

fn environment(result: &RunResult) -> Vec<String> {
    let (run, host) = (&result.run, &result.run.host);
    let commit = run.commit.as_deref().unwrap_or("commit unknown");
    let target = host.target_version.as_deref().unwrap_or("version unknown");
    let command = format::harmless(&run.command);
    let fence = fence(&command);
    vec![
        format!(
            "Run {} of {}, seed {}, harness {} ({}); target {} ({}); {} cores, {}.",
            escape(&run.id),
            escape(&run.started_at),
            run.seed,
            escape(&run.harness_version),
            escape(commit),
            escape(&host.target),
            escape(target),
            host.cores,
            escape(&host.kernel)
        ),
        String::new(),
        format!("{fence}sh"),
        command,
        fence,
        String::new(),
    ]
}

/// A fence that nothing in the text can close; the text stays what it is, for it is pasted.
fn fence(text: &str) -> String {
    let runs = text.split(|letter| letter != '`');
    let longest = runs.map(str::len).max().unwrap_or(0);
    "`".repeat(3.max(longest + 1))
}

/// Text from outside: no markup, no link, no mention, no line break.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let text = format::plain(&format::harmless(text));
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '&' => safe.push_str("&amp;"),
            // `< 5 s` cannot begin a tag, and reads better as it is.
            '<' if letters.peek() != Some(&' ') => safe.push_str("&lt;"),
            '@' => safe.push_str("&#64;"),
            '|' | '[' | ']' | '*' | '#' | '\\' => {
                safe.push('\\');
                safe.push(letter);
            }
            other => safe.push(other),
        }
    }
    safe
}
