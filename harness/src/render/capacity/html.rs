//! This module writes `capacity.html`: one file, offline, in the look of a run's report.
//!
//! **In:** an answer. **Out:** HTML: the answer, latency and throughput against load, what was full, the plan, the probes.

use maud::{Markup, html};

use super::{cells, uses};
use crate::capacity::account::Answer;
use crate::capacity::planner::Figure;
use crate::capacity::probe::Probe;
use crate::capacity::search::Came;
use crate::capacity::storm;
use crate::format;
use crate::render::html::document::document;
use crate::render::html::figure;
use crate::render::html::prose::prose;
use crate::render::html::table::{Cell, Table};
use crate::render::plot::Chart;
use crate::render::renderer::RenderError;
use crate::render::words::plural;

pub(super) fn bytes(answer: &Answer, charts: &[Chart]) -> Result<Vec<u8>, RenderError> {
    let look = cells::answer(answer);
    let title = format!(
        "{} {}: {}",
        look.word,
        format::harmless(&answer.asked.title),
        format::harmless(&answer.sentence)
    );
    document(&title, &body(answer, charts), &[])
}

fn body(answer: &Answer, charts: &[Chart]) -> Markup {
    let asked = &answer.asked;
    let look = cells::answer(answer);
    html! {
        main {
            header {
                div class={ "verdict " (look.class) } {
                    span.badge {
                        span aria-hidden="true" { (look.mark) " " } (look.word) " · exit " (answer.exit_code)
                    }
                    h1 { (prose(&answer.sentence)) }
                    @if let Some(full) = &answer.full {
                        p.trust { "Full at the end of it: " (full.what) ", " (full.text) "." }
                    }
                }
                ul.meta {
                    li { b { (format::harmless(&asked.title)) } }
                    li { (plural(answer.probes.len(), "probe")) }
                    li { "axis " (asked.axis.to_string()) }
                    li { code { (format::harmless(&asked.target)) } }
                    li { (format::harmless(&asked.started_at)) }
                }
            }
            section id="curves" {
                h2 { "Against load" }
                @for chart in charts { (figure::figure(chart)) }
                @for line in cells::scaling(answer) { p { (prose(&line)) } }
            }
            section id="expected" {
                h2 { "What must hold" }
                ul { @for expected in &asked.expected { li { code { (format::harmless(expected)) } } } }
                p { "A probe also breaks when what is in flight grows all the time (Mann-Kendall test), and when a process of it ends." }
            }
            @if answer.outlook.is_some() { section id="plan" { h2 { "What follows from it" } (plan(answer)) } }
            section id="probes" {
                h2 { "Probes" }
                (probes(answer))
                ul {
                    @for (place, probe) in answer.probes.iter().enumerate() {
                        @if probe.came != Came::Held {
                            li { "Probe " (place + 1) ", " (format::count(probe.load)) ": " (prose(&probe.sentence)) }
                        }
                    }
                }
            }
            (uses::section(answer))
            @if !answer.notes.is_empty() {
                section id="notes" {
                    h2 { "What else to know" }
                    ul { @for note in &answer.notes { li { (prose(note)) } } }
                    p { code { (format::harmless(&asked.command)) } }
                }
            }
            footer { "Drawn from the numbers in " code { "capacity.json" } "; nothing is computed here." }
        }
    }
}

fn plan(answer: &Answer) -> Markup {
    let figures = answer.outlook.iter().flat_map(|outlook| &outlook.figures);
    let rows = figures.map(|figure| {
        vec![
            Cell::text(&figure.name),
            value(figure),
            Cell::text(cells::basis(figure)),
            Cell::text(&figure.how),
        ]
    });
    let table = Table {
        caption: html! { "Each number says whether a probe showed it, a line through probes, or neither." },
        class: "stack left plan",
        heads: Table::heads(&["figure", "value", "from", "how"]),
        rows: rows.collect(),
    };
    table.markup()
}

/// The value, which leads to the run that showed it.
fn value(figure: &Figure) -> Cell {
    // A damaged account leads nowhere else.
    if figure.run.as_deref() == Some(storm::NAME) {
        return Cell::new(
            html! { a href={ (storm::NAME) "/report.html" } { (prose(&figure.text)) } },
        );
    }
    Cell::text(&figure.text)
}

/// `probe-001`, and nothing that a damaged account could lead elsewhere with.
fn is_ours(folder: &str) -> bool {
    let number = folder.strip_prefix("probe-");
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn probes(answer: &Answer) -> Markup {
    let row = |(place, probe): (usize, &Probe)| {
        let look = cells::came(probe.came);
        let word = html! { span aria-hidden="true" { (look.mark) } " " (look.word) };
        let link = if is_ours(&probe.folder) {
            html! { a href={ (probe.folder) "/report.html" } { (place + 1) } }
        } else {
            html! { (place + 1) }
        };
        let warm_up = probe.steady.map_or_else(
            || format::NONE.to_owned(),
            |steady| format::duration(steady.warm_up_us),
        );
        vec![
            Cell::new(word).class(look.class),
            Cell::count(probe.load),
            Cell::text(cells::rate_or_none(probe.offered_per_s)),
            Cell::text(cells::rate_or_none(probe.answered_per_s)),
            Cell::text(cells::time(probe.p50_us)),
            Cell::text(cells::time(probe.p99_us)),
            Cell::text(warm_up),
            Cell::text(cells::fullest(probe)),
            Cell::new(link),
        ]
    };
    let unit = answer.asked.axis.unit();
    let heads = [
        "came to", unit, "offered", "answered", "p50", "p99", "warm-up", "fullest", "report",
    ];
    let table = Table {
        caption: html! { "In the order in which they were done; each leads to its own report." },
        class: "stack probes",
        heads: Table::heads(&heads),
        rows: answer.probes.iter().enumerate().map(row).collect(),
    };
    table.markup()
}
