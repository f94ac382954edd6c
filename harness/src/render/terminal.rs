//! This module writes the final summary of a run: the only thing on stdout.
//!
//! **In:** the result, and where the report lies. **Out:** text of at most 80 columns, or as few as the terminal has.
//! Colour only adds: every row says its word or mark.

use super::column::{Color, Column, GREEN, INDENT, RED, YELLOW, columns, paint, wrap};
use super::{failure, view, words};
use crate::format::{self, append};
use crate::result::{
    CheckGroup, CheckStatus, ExpectationResult, RunResult, Status, Summary, lateness_text,
    machine_text, sent_text,
};
use crate::scenario::expectation::{Outcome, When};

/// Columns of the summary where nothing is known of the terminal, and the most it takes.
pub(crate) const WIDTH: usize = 80;
/// Fewer columns than this are not written for.
pub(crate) const WIDTH_MIN: usize = 40;
/// Expectations shown where something broke, and where nothing did.
const ROWS_BROKE: usize = 4;
const ROWS_HELD: usize = 6;
/// Held expectations shown beside broken ones.
const HELD_MIN: usize = 2;

/// How the summary is written.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// Escape codes may be used: a terminal, and no `NO_COLOR`.
    pub color: Color,
    /// Columns, from [`WIDTH_MIN`] to [`WIDTH`].
    pub width: usize,
    /// Path of `report.html`; `None` where it was not written.
    pub report: Option<String>,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            color: Color::None,
            width: WIDTH,
            report: None,
        }
    }
}

/// The summary, ending in a line break.
pub(crate) fn summary(result: &RunResult, style: &Style) -> String {
    let mut out = Column::new(style.width.clamp(WIDTH_MIN, WIDTH));
    header(&mut out, result, style.color);
    out.line("");
    out.paragraph("", &result.verdict.sentence, 0);
    if !result.verdict.also.is_empty() {
        let also = format!("Also: {}.", result.verdict.also.join("; "));
        out.paragraph("", &also, 0);
    }
    expectations(&mut out, result, style.color);
    out.line("");
    messages(&mut out, result);
    complete(&mut out, result);
    for fault in &result.faults {
        out.paragraph("fault", &words::fault(fault), INDENT);
    }
    for condition in &result.conditions {
        out.paragraph("condition", &words::condition(condition), INDENT);
    }
    out.paragraph("sessions", &sessions(result), INDENT);
    if !result.errors.is_empty() {
        out.paragraph("errors", &failure::line(result), INDENT);
    }
    if !result.trials.is_empty() {
        out.paragraph("trials", &trials(result), INDENT);
    }
    let held = view::built_in(result);
    if !held.is_empty() {
        out.paragraph("built-in", &format!("{} held", held.join(", ")), INDENT);
    }
    broken_checks(&mut out, result, CheckGroup::Correctness, style.color);
    broken_checks(&mut out, result, CheckGroup::Service, style.color);
    out.paragraph("harness", &trust(result), INDENT);
    broken_checks(&mut out, result, CheckGroup::Validity, style.color);
    out.line("");
    if let Some(report) = &style.report {
        out.labelled("report", &format::harmless(report));
    }
    out.labelled("again", &format::harmless(&result.run.command));
    out.text
}

fn header(out: &mut Column, result: &RunResult, color: Color) {
    let look = words::status(result.verdict.status);
    let run = &result.run;
    let facts = format!(
        "{}, {} clients, seed {}",
        format::duration(run.duration_us),
        format::count(result.clients.planned),
        run.seed
    );
    let title = format::harmless(&run.title);
    let exit = format!("exit {}", result.exit_code);
    let word = paint(look.word, verdict_color(result.verdict.status), color);
    let used = columns(look.word) + 2 + columns(&title);
    let all = used + 3 + columns(&facts) + 2 + exit.len();
    if all <= out.width || out.width == WIDTH {
        let gap = (out.width + 2).saturating_sub(all).max(2);
        let facts = format::plain(&facts);
        out.line(&format!("{word}  {title}   {facts}{:gap$}{exit}", ""));
        return;
    }
    out.line(&format!("{word}  {exit}"));
    out.paragraph("", &format!("{title}, {facts}"), 0);
}

fn expectations(out: &mut Column, result: &RunResult, color: Color) {
    let rows = view::expectations(result);
    if rows.is_empty() {
        return;
    }
    let (broke, open, held) = view::tally(result);
    let troubled = broke + open;
    let room = if troubled > 0 { ROWS_BROKE } else { ROWS_HELD };
    let shown_held = held.min(room.saturating_sub(troubled).max(HELD_MIN));
    let shown = troubled + shown_held;
    out.line("");
    table(out, &rows[..shown], color);
    let rest = &rows[shown..];
    if let Some(first) = rest.first() {
        let closest = first.used_ratio.map_or_else(String::new, |used| {
            let used = format::percent(used);
            format!(", the closest at {used} of its limit")
        });
        out.paragraph("", &format!("{} more passed{closest}", rest.len()), 3);
    }
}

/// The rows under their heads, or, where those are too wide, each in lines of its own.
fn table(out: &mut Column, rows: &[&ExpectationResult], color: Color) {
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|row| view::expectation_cells(row))
        .collect();
    let heads = view::EXPECTATION_HEADS;
    let widest = |place: usize, least: usize| {
        let all = cells.iter().map(|cells| columns(&cells[place]));
        all.chain([columns(heads[place]), least]).max().unwrap_or(0)
    };
    let widths = |name, when| {
        let figures = [widest(2, 9), widest(3, 9), widest(4, 8)];
        [
            widest(0, name),
            widest(1, when),
            figures[0],
            figures[1],
            figures[2],
        ]
    };
    let fits = |widths: &[usize; 5]| 3 + widths.iter().sum::<usize>() + GAPS <= out.width;
    let widths = [widths(20, 16), widths(0, 0)].into_iter().find(fits);
    if let Some(widths) = widths {
        row(out, "   ", (heads, widths));
    }
    for (of, cells) in rows.iter().zip(&cells) {
        let mark = match of.status {
            CheckStatus::Held => "   ".to_owned(),
            CheckStatus::Broke => format!(" {} ", paint("x", RED, color)),
            CheckStatus::Inconclusive => format!(" {} ", paint("?", YELLOW, color)),
        };
        match widths {
            Some(widths) => row(out, &mark, (cells.each_ref().map(String::as_str), widths)),
            None => stacked(out, &mark, cells),
        }
    }
}

/// Spaces between the cells of a row.
const GAPS: usize = 1 + 1 + 2 + 2;

fn row(out: &mut Column, mark: &str, (cells, widths): ([&str; 5], [usize; 5])) {
    let pad = |place: usize| match place {
        0 | 1 => format!("{:<1$}", cells[place], widths[place]),
        _ => format!("{:>1$}", cells[place], widths[place]),
    };
    let [name, when, observed, limit, used] = [0, 1, 2, 3, 4].map(pad);
    let text = format!("{mark}{name} {when} {observed}  {limit}  {used}");
    out.line(text.trim_end());
}

fn stacked(out: &mut Column, mark: &str, [name, when, observed, limit, used]: &[String; 5]) {
    let width = out.width.saturating_sub(3);
    for (place, part) in wrap(&format!("{name}, {when}"), width).iter().enumerate() {
        let lead = if place == 0 { mark } else { "   " };
        out.line(&format!("{lead}{part}"));
    }
    let used = if used.is_empty() {
        String::new()
    } else {
        format!(", {used} of it")
    };
    out.paragraph("", &format!("{observed}, limit {limit}{used}"), 5);
}

fn messages(out: &mut Column, result: &RunResult) {
    let said = |outcome: Outcome| {
        let count = result.delivery.of(outcome);
        format!("{} {}", format::count(count), outcome.words())
    };
    let [
        sent,
        ends @ ..,
        pending,
        duplicated,
        out_of_order,
        unexpected,
        late,
        unheard,
    ] = Outcome::ALL;
    let mut ends: Vec<String> = ends.map(said).into();
    if result.delivery.pending > 0 {
        ends.push(said(pending));
    }
    let all = format!("{} = {}", said(sent), ends.join(" + "));
    out.paragraph("messages", &all, INDENT);
    let beside = [duplicated, out_of_order, unexpected, late].map(said);
    out.paragraph("", &beside.join(", "), INDENT);
    let copies = result.delivery.copies;
    if copies > 0 {
        let copies = format!(
            "{} of {} copies for other members",
            said(unheard),
            format::count(copies)
        );
        out.paragraph("", &copies, INDENT);
    }
}

fn complete(out: &mut Column, result: &RunResult) {
    let Some((place, of)) = view::calm(result) else {
        out.paragraph("complete", "no message was completed", INDENT);
        return;
    };
    let percentiles = percentiles(of);
    if out.width == WIDTH {
        out.labelled("complete", &format::plain(&percentiles));
    } else {
        out.paragraph("complete", &percentiles, INDENT);
    }
    let from = format!(
        "{}; from the moment each message should have been sent",
        place.text()
    );
    out.paragraph("", &from, INDENT);
}

fn percentiles(of: Summary) -> String {
    let one = |name: &str, us| format!("{name}{}{}", format::NBSP, format::duration(us));
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
    let closed = result
        .window(&When::WholeRun)
        .map(|whole| &whole.closes_violation);
    for (code, count) in closed.into_iter().flatten() {
        let count = format::count(*count);
        append(
            &mut text,
            format_args!(", {count} closed by the harness with {code}"),
        );
    }
    if clients.requests_repeated > 0 {
        let repeated = format::count(clients.requests_repeated);
        append(
            &mut text,
            format_args!(
                ", {repeated} requests sent again (a kept connection was closed as they went out)"
            ),
        );
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

/// `1011: 598, 1006: 8`, most first.
pub(crate) fn cut_codes(result: &RunResult) -> String {
    let Some(whole) = result.window(&When::WholeRun) else {
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

/// What came of each trial: `token-age 1,160 conclusive, 125 failed, 18 inconclusive`.
fn trials(result: &RunResult) -> String {
    let planned = result.plan.trials.iter().zip(&result.trials);
    let each = planned.map(|(plan, record)| {
        let broke: u64 = record.broke.values().map(|broken| broken.count).sum();
        let unclear: u64 = record.unclear.values().sum();
        let mut text = format!("{} {} conclusive", plan.name, format::count(record.clear()));
        for (count, word) in [(broke, "failed"), (unclear, "inconclusive")] {
            if count > 0 {
                append(&mut text, format_args!(", {} {word}", format::count(count)));
            }
        }
        text
    });
    each.collect::<Vec<_>>().join("; ")
}

fn broken_checks(out: &mut Column, result: &RunResult, group: CheckGroup, color: Color) {
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
        let width = out.width - INDENT - 2;
        for (place, part) in wrap(&text, width).into_iter().enumerate() {
            let lead = if place == 0 { mark.as_str() } else { " " };
            out.line(&format!("{:INDENT$}{lead} {part}", ""));
        }
    }
}

const fn verdict_color(status: Status) -> u8 {
    match status {
        Status::Pass => GREEN,
        Status::Fail => RED,
        Status::Invalid | Status::Inconclusive | Status::Interrupted => YELLOW,
    }
}
