//! This module writes the final summary of a run: the only thing on stdout.
//!
//! **In:** the result, and where the report lies. **Out:** text of at most 80 columns.
//! Colour only adds: every row says its word or mark.

use super::{append, format, view, words};
use crate::result::{
    CheckGroup, CheckStatus, ExpectationResult, RunResult, Status, Summary, bound_text,
    lateness_text, machine_text, observed_text, sent_text,
};

/// Columns of the summary.
const WIDTH: usize = 80;
/// Where the text of a labelled paragraph begins.
const INDENT: usize = 10;
/// Expectations shown where something broke, and where nothing did.
const ROWS_BROKE: usize = 4;
const ROWS_HELD: usize = 6;
/// Held expectations shown beside broken ones.
const HELD_MIN: usize = 2;

/// How the summary is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Style {
    /// Escape codes may be used: a terminal, and no `NO_COLOR`.
    pub color: Color,
    /// Path of `report.html`; `None` where it was not written.
    pub report: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    Ansi,
    #[default]
    None,
}

/// The summary, ending in a line break.
pub(crate) fn summary(result: &RunResult, style: &Style) -> String {
    let mut out = String::new();
    header(&mut out, result, style.color);
    out.push('\n');
    paragraph(&mut out, "", &result.verdict.sentence, 0);
    if !result.verdict.also.is_empty() {
        let also = format!("Also: {}.", result.verdict.also.join("; "));
        paragraph(&mut out, "", &also, 0);
    }
    expectations(&mut out, result, style.color);
    out.push('\n');
    messages(&mut out, result);
    complete(&mut out, result);
    for fault in &result.faults {
        paragraph(&mut out, "fault", &words::fault(fault), INDENT);
    }
    for condition in &result.conditions {
        paragraph(&mut out, "condition", &words::condition(condition), INDENT);
    }
    paragraph(&mut out, "sessions", &sessions(result), INDENT);
    if !result.errors.is_empty() {
        paragraph(&mut out, "errors", &errors(result), INDENT);
    }
    if !result.trials.is_empty() {
        paragraph(&mut out, "trials", &trials(result), INDENT);
    }
    broken_checks(&mut out, result, CheckGroup::Correctness, style.color);
    paragraph(&mut out, "harness", &trust(result), INDENT);
    broken_checks(&mut out, result, CheckGroup::Validity, style.color);
    out.push('\n');
    if let Some(report) = &style.report {
        labelled(&mut out, "report", &format::harmless(report));
    }
    labelled(&mut out, "again", &format::harmless(&result.run.command));
    out
}

fn header(out: &mut String, result: &RunResult, color: Color) {
    let look = words::status(result.verdict.status);
    let run = &result.run;
    let facts = format::plain(&format!(
        "{}, {} clients, seed {}",
        format::duration(run.duration_us),
        format::count(result.clients.planned),
        run.seed
    ));
    let title = format::harmless(&run.title);
    let exit = format!("exit {}", result.exit_code);
    let used = columns(look.word) + 2 + columns(&title) + 3 + columns(&facts);
    let gap = WIDTH.saturating_sub(used + exit.len()).max(2);
    let word = paint(look.word, verdict_color(result.verdict.status), color);
    line(out, &format!("{word}  {title}   {facts}{:gap$}{exit}", ""));
}

fn expectations(out: &mut String, result: &RunResult, color: Color) {
    let rows = view::expectations(result);
    if rows.is_empty() {
        return;
    }
    let (broke, open, held) = view::tally(result);
    let troubled = broke + open;
    let room = if troubled > 0 { ROWS_BROKE } else { ROWS_HELD };
    let shown_held = held.min(room.saturating_sub(troubled).max(HELD_MIN));
    let shown = troubled + shown_held;
    out.push('\n');
    row(
        out,
        "   ",
        ["expectation", "when", "observed", "limit", "used"],
    );
    for expectation in &rows[..shown] {
        expectation_row(out, expectation, color);
    }
    let rest = &rows[shown..];
    if let Some(first) = rest.first() {
        let closest = first.used_ratio.map_or_else(String::new, |used| {
            let used = format::plain(&format::percent(used));
            format!(", the closest at {used} of its limit")
        });
        line(out, &format!("   {} more held{closest}", rest.len()));
    }
}

fn expectation_row(out: &mut String, row_of: &ExpectationResult, color: Color) {
    let mark = match row_of.status {
        CheckStatus::Held => "   ".to_owned(),
        CheckStatus::Broke => format!(" {} ", paint("x", RED, color)),
        CheckStatus::Inconclusive => format!(" {} ", paint("?", YELLOW, color)),
    };
    let used = row_of.used_ratio.map_or_else(String::new, format::percent);
    let observed = format::plain(&observed_text(row_of));
    let limit = format::plain(&bound_text(row_of));
    let name = format::harmless(&row_of.name);
    let when = format::harmless(&row_of.when);
    row(
        out,
        &mark,
        [&name, &when, &observed, &limit, &format::plain(&used)],
    );
}

fn row(out: &mut String, mark: &str, cells: [&str; 5]) {
    let [name, when, observed, limit, used] = cells;
    let text = format!("{mark}{name:<20} {when:<16} {observed:>9}  {limit:>9}  {used:>5}");
    line(out, text.trim_end());
}

fn messages(out: &mut String, result: &RunResult) {
    let all = result.delivery;
    let count = format::count;
    let mut ledger = format!(
        "{} sent = {} completed + {} refused + {} unanswered + {} lost",
        count(all.sent),
        count(all.completed),
        count(all.refused),
        count(all.unanswered),
        count(all.lost)
    );
    if all.pending > 0 {
        append(
            &mut ledger,
            format_args!(" + {} pending", count(all.pending)),
        );
    }
    paragraph(out, "messages", &ledger, INDENT);
    let beside = format!(
        "{} duplicated, {} out of order, {} unexpected, {} late",
        count(all.duplicated),
        count(all.out_of_order),
        count(all.unexpected),
        count(all.late)
    );
    paragraph(out, "", &beside, INDENT);
}

fn complete(out: &mut String, result: &RunResult) {
    let Some((place, of)) = view::calm(result) else {
        paragraph(out, "complete", "no message was completed", INDENT);
        return;
    };
    labelled(out, "complete", &percentiles(of));
    let from = format!("{place}; from the moment each message should have been sent");
    paragraph(out, "", &from, INDENT);
}

fn percentiles(of: Summary) -> String {
    let one = |name: &str, us| format!("{name} {}", format::plain(&format::duration(us)));
    [
        one("p50", of.p50_us),
        one("p90", of.p90_us),
        one("p99", of.p99_us),
        one("p99.9", of.p999_us),
        one("max", of.max_us),
    ]
    .join("  ")
}

fn sessions(result: &RunResult) -> String {
    let clients = &result.clients;
    let mut text = format!("{} opened", format::count(clients.opened));
    if clients.cut == 0 {
        text.push_str(", none cut");
    } else {
        append(
            &mut text,
            format_args!(", {} cut", format::count(clients.cut)),
        );
        let codes = cut_codes(result);
        if !codes.is_empty() {
            append(&mut text, format_args!(" ({codes})"));
        }
    }
    if clients.failed > 0 {
        let failed = format::count(clients.failed);
        let noun = if clients.failed == 1 {
            "client"
        } else {
            "clients"
        };
        append(&mut text, format_args!(", {failed} {noun} gave up"));
    }
    text
}

/// `unavailable 4,566, token 503 156`, most first.
fn errors(result: &RunResult) -> String {
    let mut errors: Vec<(&String, &u64)> = result.errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let texts = errors
        .iter()
        .map(|(label, count)| format!("{}: {}", format::harmless(label), format::count(**count)));
    texts.collect::<Vec<_>>().join(", ")
}

/// `1011: 598, 1006: 8`, most first.
pub(crate) fn cut_codes(result: &RunResult) -> String {
    let Some(whole) = view::named(result, "whole run") else {
        return String::new();
    };
    let mut codes: Vec<(u16, u64)> = whole.closes_cut.iter().map(|(&c, &n)| (c, n)).collect();
    codes.sort_by_key(|&(code, count)| (std::cmp::Reverse(count), code));
    let each = codes
        .iter()
        .map(|&(code, count)| format!("{code}: {}", format::count(count)));
    each.collect::<Vec<_>>().join(", ")
}

/// Whether the harness's own numbers can be trusted, with the three that say so first.
fn trust(result: &RunResult) -> String {
    let broke = result
        .checks
        .iter()
        .any(|check| check.group == CheckGroup::Validity && check.status == CheckStatus::Broke);
    let word = if broke { "INVALID" } else { "valid" };
    let full = machine_text(result).filter(|_| !broke);
    let full = full.map_or_else(String::new, |told| format!("; {told}"));
    format!(
        "{word}: {}, {}, lane {}{full}",
        lateness_text(result),
        sent_text(result),
        format::percent(result.generator.lane_busy_ratio_max)
    )
}

/// What came of each trial: `token-age 1,160 clear, 125 broke, 18 unclear`.
fn trials(result: &RunResult) -> String {
    let planned = result.plan.trials.iter().zip(&result.trials);
    let each = planned.map(|(plan, record)| {
        let broke: u64 = record.broke.values().map(|broken| broken.count).sum();
        let unclear: u64 = record.unclear.values().sum();
        let mut text = format!("{} {} clear", plan.name, format::count(record.clear()));
        for (count, word) in [(broke, "broke"), (unclear, "unclear")] {
            if count > 0 {
                append(&mut text, format_args!(", {} {word}", format::count(count)));
            }
        }
        text
    });
    each.collect::<Vec<_>>().join("; ")
}

fn broken_checks(out: &mut String, result: &RunResult, group: CheckGroup, color: Color) {
    let checks = view::checks(result).into_iter();
    for check in checks.filter(|check| check.group == group) {
        if check.status == CheckStatus::Held {
            continue;
        }
        let mark = match check.status {
            CheckStatus::Broke => paint("x", RED, color),
            CheckStatus::Inconclusive | CheckStatus::Held => paint("?", YELLOW, color),
        };
        let text = format!(
            "{}: {}, must be {}; {}",
            check.name, check.observed, check.bound, check.finding
        );
        let text = format::harmless(text.trim_end_matches([';', ' ']));
        for (place, part) in wrap(&text, WIDTH - INDENT - 2).into_iter().enumerate() {
            let lead = if place == 0 { mark.as_str() } else { " " };
            line(out, &format!("{:INDENT$}{lead} {part}", ""));
        }
    }
}

/// A label and a text, wrapped under itself.
fn paragraph(out: &mut String, label: &str, text: &str, indent: usize) {
    let text = format::harmless(text);
    for (place, part) in wrap(&text, WIDTH - indent).into_iter().enumerate() {
        let label = if place == 0 { label } else { "" };
        line(out, format!("{label:<indent$}{part}").trim_end());
    }
}

/// A label and a text that must stay in one piece, to be copied.
fn labelled(out: &mut String, label: &str, text: &str) {
    line(out, &format!("{label:<INDENT$}{text}"));
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Splits at spaces into lines of at most `width` columns; a longer word gets a line of its own.
/// No-break spaces hold numbers and units together until the lines are made.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.last().map_or(0, |line| columns(line));
        if last > 0 && last + 1 + columns(word) > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.into_iter().map(|line| format::plain(&line)).collect()
}

pub(super) const RED: u8 = 31;
pub(super) const GREEN: u8 = 32;
const YELLOW: u8 = 33;

const fn verdict_color(status: Status) -> u8 {
    match status {
        Status::Pass => GREEN,
        Status::Fail => RED,
        Status::Invalid | Status::Inconclusive | Status::Interrupted => YELLOW,
    }
}

pub(super) fn paint(text: &str, code: u8, color: Color) -> String {
    match color {
        Color::Ansi => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
        Color::None => text.to_owned(),
    }
}
