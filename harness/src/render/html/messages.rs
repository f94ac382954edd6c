//! This module writes the ledger of messages, the ends of sessions, and messages that went wrong.
//!
//! **In:** `windows`, `delivery`, `closes`, `examples`. **Out:** HTML tables. Zeros are printed.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::figure::figure;
use super::prose::prose;
use super::story::story;
use super::table::{Cell, Table};
use crate::format;
use crate::render::plot::{Chart, EXAMPLES_MAX, anchor};
use crate::render::{file, view, words};
use crate::result::{Delivery, Example, RunResult, Summary, Window};
use crate::scenario::expectation::{Outcome, When};
use crate::stage::Stage;

/// Messages that went wrong, shown at once.
const EXAMPLES_FIRST: usize = 6;
const EXAMPLE_HEADS: [&str; 8] = [
    "Message",
    "What happened",
    "Client",
    "Intended",
    "Sent",
    "Acknowledged",
    "Ended",
    "Fault",
];

/// The stages of the load that have names.
pub(crate) fn parts(result: &RunResult) -> Markup {
    let columns: Vec<Outcome> = result.delivery.columns().collect();
    let parts = result.plan.load.parts().into_iter();
    let windows = parts.filter_map(|part| result.window(&When::Stage { name: part.name }));
    // As `when` calls them.
    let named = windows.map(|of| (of.name.clone(), of));
    let rows: Vec<Vec<Cell>> = named.map(|(name, of)| window(name, of, &columns)).collect();
    if rows.is_empty() {
        return html! {};
    }
    Table {
        caption: html! { "The stages of the load by themselves: what was intended in each, faults or not." },
        class: "stack parts",
        heads: heads(&columns),
        rows,
    }
    .markup()
}

fn heads(columns: &[Outcome]) -> Vec<String> {
    let counts = columns
        .iter()
        .map(|outcome| format::capital(outcome.words()));
    let latency = ["p50", "p99", "Max"].map(str::to_owned);
    let first = ["Window".to_owned()].into_iter();
    first.chain(counts).chain(latency).collect()
}

pub(crate) fn windows(result: &RunResult) -> Markup {
    let columns: Vec<Outcome> = result.delivery.columns().collect();
    let windows = result.windows.iter();
    let named = windows.map(|of| (words::window(of), of));
    let mut rows: Vec<Vec<Cell>> = named.map(|(name, of)| window(name, of, &columns)).collect();
    let whole = view::response(result, Stage::Complete);
    let name = Cell::text("Whole run");
    rows.push(row(name, &columns, result.delivery, whole));
    Table {
        caption: html! {
            "Sent = completed + refused + unanswered + lost + pending, in every row. A message belongs to the fault that any part of its life touched, else to the window it should have been sent in."
        },
        class: "stack ledger",
        heads: heads(&columns),
        rows,
    }
    .markup()
}

fn window(name: String, window: &Window, columns: &[Outcome]) -> Vec<Cell> {
    let span = format!(
        "{} – {} s",
        format::rough_stamp(window.from_us),
        format::rough_stamp(window.to_us)
    );
    let name = Cell::text(name).note(html! { (span) });
    let complete = window.latency.get(Stage::Complete.name()).copied();
    row(name, columns, window.delivery, complete)
}

fn row(name: Cell, columns: &[Outcome], of: Delivery, complete: Option<Summary>) -> Vec<Cell> {
    let us = |pick: fn(Summary) -> u64| Cell::text(format::duration_or_none(complete.map(pick)));
    let counts = columns.iter().map(|outcome| Cell::ledger(*outcome, &of));
    let latency = [us(|of| of.p50_us), us(|of| of.p99_us), us(|of| of.max_us)];
    [name].into_iter().chain(counts).chain(latency).collect()
}

pub(crate) fn sessions(result: &RunResult, reconnects: Option<&Chart>) -> Markup {
    let of = &result.clients;
    let count = format::count;
    html! {
        @if !result.failures.is_empty() { (failures(result)) }
        (codes(result))
        @if let Some(chart) = reconnects { (figure(chart)) }
        div.card {
            dl.env {
                dt { "Sessions" }
                dd {
                    (count(of.opened)) " opened, " (count(of.peak_open)) " at once at most; "
                    (count(of.cut)) " cut by the server or the network"
                }
                dt { "Tokens" }
                dd { (count(of.tokens_ok)) " issued, " (count(of.tokens_failed)) " refused or failed" }
                dt { "Reconnects" }
                dd {
                    (count(of.reconnect_attempts)) " attempts after an abnormal close"
                    @if let Some(reconnect) = view::response(result, Stage::Reconnect) {
                        "; close to connected again p50 " (format::duration(reconnect.p50_us))
                        ", p99 " (format::duration(reconnect.p99_us))
                    }
                }
                @if let Some(silence) = view::response(result, Stage::Silence) {
                    dt { "Silence before a cut" }
                    dd {
                        "last byte to the end without a close frame: p50 " (format::duration(silence.p50_us))
                        ", at least " (format::duration(silence.min_us)) ", at most " (format::duration(silence.max_us))
                    }
                }
                @if of.connects_failed > 0 {
                    dt { "Connections failed" }
                    dd { (count(of.connects_failed)) " attempts did not reach " code { "connected" } }
                }
                dt { "Gave up" }
                dd {
                    @if of.failed == 0 {
                        "no client"
                    } @else {
                        (count(of.failed)) " clients, " (count(of.failed_outside_faults)) " of them at a time no fault touched"
                    }
                }
                @if of.requests_repeated > 0 {
                    dt { "Requests sent again" }
                    dd { (count(of.requests_repeated)) ", on a new connection: the server closed a kept one as they went out" }
                }
                @if result.failures.is_empty() && !result.errors.is_empty() {
                    dt { "Errors" }
                    dd { (errors(result)) }
                }
            }
        }
    }
}

/// What went wrong for clients, with who caused it and what came with it.
fn failures(result: &RunResult) -> Markup {
    let rows = result.failures.iter().map(|one| {
        let words = one.words.iter().map(|words| format::harmless(words));
        let words = words.collect::<Vec<_>>().join(" · ");
        vec![
            Cell::new(html! { b { (format::harmless(&one.label)) } }).note(html! { (words) }),
            Cell::text(one.cause.words()),
            Cell::count(one.count),
            Cell::text(
                one.first_us
                    .map_or_else(|| format::NONE.to_owned(), format::stamp),
            ),
        ]
    });
    Table {
        caption: html! {
            "What went wrong for clients, most first, with the words that came with it. What the server or the network did between the injection of a fault and the recovery from it is booked to the fault. First: seconds since load start."
        },
        class: "stack failures",
        heads: Table::heads(&["Failure", "Caused by", "Times", "First"]),
        rows: rows.collect(),
    }
    .markup()
}

/// Labels with their counts, most first.
fn errors(result: &RunResult) -> String {
    let mut all: Vec<(&String, u64)> = result.errors.iter().map(|(name, &n)| (name, n)).collect();
    all.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
    let each = all
        .into_iter()
        .map(|(name, count)| format!("{} {}", format::harmless(name), format::count(count)));
    each.collect::<Vec<_>>().join(" · ")
}

/// Ends by code and window: who meant it stands under the code.
fn codes(result: &RunResult) -> Markup {
    type Counts = fn(&Window) -> &std::collections::BTreeMap<u16, u64>;
    let causes: [(Counts, &str); 3] = [
        (|window| &window.closes_cut, "cut"),
        (
            |window| &window.closes_violation,
            "by the harness, for what came",
        ),
        (|window| &window.closes_planned, "planned"),
    ];
    let mut rows = Vec::new();
    for (counts, cause) in causes {
        let all = result
            .windows
            .iter()
            .flat_map(|window| counts(window).keys());
        let codes: BTreeSet<u16> = all.copied().collect();
        for code in codes {
            let each = |window: &Window| counts(window).get(&code).copied().unwrap_or(0);
            let meaning = words::close_meaning(code);
            let note = [meaning, cause].map(str::to_owned).into_iter();
            let note: Vec<String> = note.filter(|part| !part.is_empty()).collect();
            let mut cells = vec![Cell::text(code.to_string()).note(html! { (note.join(", ")) })];
            cells.extend(
                result
                    .windows
                    .iter()
                    .map(|window| Cell::count(each(window))),
            );
            cells.push(Cell::count(result.windows.iter().map(each).sum()));
            rows.push(cells);
        }
    }
    let mut heads = vec!["Code".to_owned()];
    heads.extend(result.windows.iter().map(words::window));
    heads.push("All".to_owned());
    let absent: Vec<String> = words::CLOSE_CODES
        .into_iter()
        .filter(|code| result.closes.get(code).copied().unwrap_or(0) == 0)
        .map(|code| code.to_string())
        .collect();
    Table {
        caption: html! {
            "How sessions ended."
            @if !absent.is_empty() { " Codes that never occurred are left out: " (absent.join(", ")) "." }
        },
        class: "stack codes",
        heads,
        rows,
    }
    .markup()
}

/// The first few, and the others on demand.
pub(crate) fn examples(result: &RunResult) -> Markup {
    let all = &result.examples[..result.examples.len().min(EXAMPLES_MAX)];
    let (first, others) = all.split_at(all.len().min(EXAMPLES_FIRST));
    let dropped = (result.examples.len() - all.len()) as u64 + result.generator.examples_dropped;
    let table = |caption: Markup, rows: &[Example], from: usize| {
        Table {
            caption,
            class: "stack left",
            heads: Table::heads(&EXAMPLE_HEADS),
            rows: rows.iter().zip(from..).map(example).collect(),
        }
        .markup()
    };
    let caption = html! {
        (shown(result, first.len())) " Times are seconds since load start; the small figures count from the intended send."
    };
    html! {
        (table(caption, first, 0))
        @if let Some(told) = first.iter().find(|example| !example.session.is_empty()) {
            (session(told, true))
        }
        @if !others.is_empty() {
            details {
                summary { (others.len()) " more" @if dropped > 0 { ", and " (format::count(dropped)) " that were not kept" } }
                (table(html! { "The next ones." }, others, first.len()))
            }
        }
    }
}

/// `The first 6 of 33, in the order of their intended send; all are in events.jsonl.`
fn shown(result: &RunResult, first: usize) -> Markup {
    let kept = result.examples.len();
    let dropped = result.generator.examples_dropped;
    let all = kept as u64 + dropped;
    html! {
        @if all == first as u64 {
            (words::plural(first, "message")) ", in the order of their intended send."
        } @else {
            "The first " (first) " of " (format::count(all)) ", in the order of their intended send; "
            @if dropped == 0 { "all are" } @else { (format::count(kept as u64)) " are" }
            " in " code { (file::EVENTS) } "."
        }
    }
}

/// What the slowest and the first that was cut went through.
pub(crate) fn stories(stories: &[&Example]) -> Markup {
    html! {
        @for (place, story) in stories.iter().enumerate() { (session(story, place == 0)) }
    }
}

/// What the client of an example did and heard.
fn session(of: &Example, is_open: bool) -> Markup {
    let steps: Vec<(u64, &str)> = of
        .session
        .iter()
        .map(|step| (step.at_us, step.text.as_str()))
        .collect();
    let message = of
        .message
        .map(|message| format!(" and its message {message}"));
    let title = format!(
        "Client {}{} ({})",
        of.client,
        message.unwrap_or_default(),
        of.what
    );
    let caption =
        html! { "Messages are shown by number only; the small figures count from the first step." };
    story(&title, caption, &steps, is_open)
}

fn example((of, place): (&Example, usize)) -> Vec<Cell> {
    let after = |us: Option<u64>| match us {
        Some(us) => Cell::text(format::stamp(us))
            .note(html! { "+" (format::duration(us.saturating_sub(of.intended_us))) }),
        None => Cell::text(format::NONE),
    };
    vec![
        Cell::new(html! { code id=(anchor(place)) { (format::harmless(&of.client_message_id)) } })
            .note(html! { "in " (format::harmless(&of.conversation)) }),
        Cell::new(prose(&of.what)),
        Cell::count(u64::from(of.client)).class(""),
        Cell::text(format::stamp(of.intended_us)),
        after(of.sent_us),
        after(of.queued_us),
        after(of.ended_us),
        Cell::text(of.fault.as_deref().unwrap_or(format::NONE)),
    ]
}
