//! This module writes `gate.html`: one file, offline, in the look of a run's report.
//!
//! **In:** the decision. **Out:** HTML: the answer, the metrics that decide, the change by run, the curves, all other metrics,
//! counts, runs, rules.

use maud::{Markup, html};

use super::cells;
use crate::format;
use crate::gate::comparison::{Decision, Role, Row, Side};
use crate::render::html::document::document;
use crate::render::html::figure;
use crate::render::html::prose::prose;
use crate::render::html::table::{Cell, Table};
use crate::render::plot::{Chart, band, change};
use crate::render::renderer::RenderError;

/// Runs of a side that are listed.
const RUNS_SHOWN: usize = 100;

pub(super) fn bytes(decision: &Decision) -> Result<Vec<u8>, RenderError> {
    let primary = decision.rows.iter().find(|row| row.role == Role::Primary);
    let change = primary.map(|row| change::chart(row, &cells::name(row)));
    let charts: Vec<Chart> = [change.transpose()?.flatten(), band::chart(decision)?]
        .into_iter()
        .flatten()
        .collect();
    let look = cells::outcome(decision.outcome);
    let title = format!(
        "{} {}: {}",
        look.word,
        cells::title(decision),
        format::harmless(&decision.sentence)
    );
    let shown: Vec<&Chart> = charts.iter().collect();
    document(&title, &body(decision, &charts), &shown)
}

fn body(decision: &Decision, charts: &[Chart]) -> Markup {
    let (judged, shown) = cells::split(decision);
    html! {
        main {
            header {
                (banner(decision))
                ul.meta {
                    li { b { (cells::title(decision)) } }
                    li { (cells::design(decision)) }
                    li { "base " code { (format::harmless(&decision.base.name)) } }
                    li { "new " code { (format::harmless(&decision.new.name)) } }
                }
            }
            @if !judged.is_empty() {
                section id="judged" {
                    h2 { "What decides" }
                    (metrics(&judged, "The primary metric first; the others may fail the gate too, after Holm."))
                }
            }
            @if !charts.is_empty() {
                section id="change-by-run" {
                    h2 { "Run by run" }
                    @for chart in charts { (figure::figure(chart)) }
                }
            }
            @if !shown.is_empty() {
                section id="others" {
                    h2 { "All other metrics" }
                    (metrics(&shown, "They fail nothing: many are looked at, and some differ by chance."))
                }
            }
            section id="counts" { h2 { "Messages and sockets" } (counts(decision)) }
            section id="runs" { h2 { "Runs" } (runs(decision)) }
            section id="rules" { h2 { "How it was decided" } (rules(decision)) }
            footer { "Drawn from the numbers in " code { "gate.json" } "; nothing is computed here." }
        }
    }
}

fn banner(decision: &Decision) -> Markup {
    let look = cells::outcome(decision.outcome);
    html! {
        div class={ "verdict " (look.class) } {
            span.badge {
                span aria-hidden="true" { (look.mark) " " } (look.word) " · exit " (decision.exit_code)
            }
            h1 { (prose(&decision.sentence)) }
            @for (place, refusal) in decision.refusals.iter().enumerate() {
                p {
                    @if place > 0 { (prose(&refusal.fact)) ": " }
                    (prose(&refusal.hint)) "."
                }
            }
            @if let Some(found) = cells::found(decision) { p.trust { (prose(&found)) "." } }
        }
    }
}

fn metrics(rows: &[&Row], caption: &str) -> Markup {
    let heads = [
        "metric",
        "base",
        "new",
        "change",
        "95 % sure",
        "limit",
        "noise",
        "word",
    ];
    let table = Table {
        caption: html! { (caption) },
        class: "stack",
        heads: Table::heads(&heads),
        rows: rows.iter().map(|row| metric(row)).collect(),
    };
    table.markup()
}

fn metric(row: &Row) -> Vec<Cell> {
    let look = cells::word(row);
    let mut name = Cell::text(cells::name(row));
    let mut notes = Vec::new();
    notes.extend(cells::own(row));
    notes.extend(row.reason.clone().filter(|_| row.role != Role::Shown));
    if !notes.is_empty() {
        name = name.note(prose(&notes.join("; ")));
    }
    let word = html! { span aria-hidden="true" { (look.mark) } " " (look.word) };
    vec![
        name,
        Cell::text(cells::value(row, row.base_median)),
        Cell::text(cells::value(row, row.new_median)),
        Cell::text(cells::share(row.change_ratio)).class(if look.class == "bad" {
            "bad"
        } else {
            ""
        }),
        Cell::text(cells::interval(row)),
        Cell::text(cells::share(row.limit_ratio)),
        Cell::text(cells::reach(row.noise_ratio)),
        Cell::new(word).class(look.class),
    ]
}

fn counts(decision: &Decision) -> Markup {
    let rows = cells::counts(decision).into_iter();
    let table = Table {
        caption: html! { "Sums over the runs of a side; each run was judged by them itself." },
        class: "stack",
        heads: Table::heads(&["count", "base", "new"]),
        rows: rows
            .map(|(name, base, new)| vec![Cell::text(name), Cell::count(base), Cell::count(new)])
            .collect(),
    };
    table.markup()
}

fn runs(decision: &Decision) -> Markup {
    let of = |side: &Side, which: &str| {
        let runs = side.runs.iter().take(RUNS_SHOWN);
        let rows = runs.map(|run| {
            vec![
                Cell::text(&run.id),
                Cell::text(which),
                Cell::text(&run.started_at),
                Cell::text(run.commit.as_deref().unwrap_or(format::NONE)),
                Cell::text(format!("exit {}", run.end.exit_code)),
            ]
        });
        rows.collect::<Vec<_>>()
    };
    let mut rows = of(&decision.base, "base");
    rows.extend(of(&decision.new, "new"));
    let table = Table {
        caption: html! { "In the order in which they were named." },
        class: "stack",
        heads: Table::heads(&["run", "side", "started", "commit", "ended"]),
        rows,
    };
    table.markup()
}

fn rules(decision: &Decision) -> Markup {
    let rules = &decision.rules;
    html! {
        p {
            "The run is the replicate. A change is the mean of logarithms of ratios, one a run, with the interval of Student's t \
             (of pairs) or Welch's (of two samples). A metric is slower when as much would be seen by chance in fewer than "
            (format::percent(rules.level)) " of all gates, the change is past its limit (the larger of "
            (format::percent(rules.relative_floor))
            " and an absolute floor), and past the noise of the base. What the plan waits on purpose is taken out of both sides first."
        }
        @if !decision.notes.is_empty() {
            ul { @for note in &decision.notes { li { (prose(note)) } } }
        }
    }
}
