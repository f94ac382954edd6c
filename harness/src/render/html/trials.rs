//! This module writes what came of the trials, and of each failure one experiment from its first step to
//! its last.
//!
//! **In:** the trials of the plan and their records. **Out:** HTML. A trial that showed nothing clear shows
//! the first experiment that could not be judged.

use maud::{Markup, html};

use super::figure::figure;
use super::prose::prose;
use super::story::story;
use super::table::{Cell, Table};
use crate::format;
use crate::plan::TrialPlan;
use crate::record::trial::{Showing, TrialRecord};
use crate::render::plot::Chart;
use crate::result::{Acceptance, RunResult};

pub(crate) fn section(result: &RunResult, acceptance: Option<&Chart>) -> Markup {
    let mut trials: Vec<(&TrialPlan, &TrialRecord)> =
        result.plan.trials.iter().zip(&result.trials).collect();
    trials.sort_by_key(|(_, record)| rank(record));
    let first = trials.iter().find_map(|(_, record)| shown(record));
    let is_first = |of: &Showing| first.is_some_and(|first| std::ptr::eq(first, of));
    html! {
        (summary(&trials))
        @for (plan, record) in &trials {
            @for (known, broken) in &record.broke {
                @if let Some(first) = broken.examples.first() {
                    h3 { (plan.name) ": " code { (known.name()) } }
                    (showing(first, is_first(first)))
                    @if broken.examples.len() > 1 {
                        details {
                            summary { (broken.examples.len() - 1) " more of " (format::count(broken.count)) }
                            @for other in &broken.examples[1..] { (showing(other, false)) }
                        }
                    }
                }
            }
            @if record.clear() == 0 {
                @if let Some(first) = &record.unclear_example {
                    h3 { (plan.name) ": without an outcome" }
                    (showing(first, is_first(first)))
                }
            }
        }
        @if let Some(chart) = acceptance { (figure(chart)) }
        @for curve in &result.acceptance { (ages(curve)) }
    }
}

/// What broke first, then what could not be judged.
fn rank(record: &TrialRecord) -> u8 {
    if !record.broke.is_empty() {
        0
    } else if record.clear() == 0 {
        1
    } else {
        2
    }
}

/// The first experiment of a trial that the page shows.
fn shown(record: &TrialRecord) -> Option<&Showing> {
    let mut broke = record.broke.values();
    let broke = broke.find_map(|broken| broken.examples.first());
    broke.or_else(|| {
        let unclear = record.unclear_example.as_ref();
        unclear.filter(|_| record.clear() == 0)
    })
}

fn summary(trials: &[(&TrialPlan, &TrialRecord)]) -> Markup {
    let rows = trials.iter().map(|(plan, record)| {
        let broke: u64 = record.broke.values().map(|broken| broken.count).sum();
        let asked = plan.kind.promises().iter().map(|promise| promise.text);
        let asked = asked.collect::<Vec<_>>().join("; ");
        let name = Cell::text(&plan.name).note(html! {
            (asked)
            @if let Some(met) = met(record) { " – " (prose(&met)) }
        });
        let unclear = Cell::count(record.unclear.values().sum());
        let unclear = match reasons(record) {
            Some(reasons) => unclear.note(prose(&reasons)),
            None => unclear,
        };
        vec![
            name,
            Cell::count(record.clear())
                .note(html! { "of at least " (format::count(plan.min_samples)) }),
            Cell::count(record.held),
            Cell::fault(broke),
            unclear,
        ]
    });
    Table {
        caption: html! {
            "Small experiments beside the load, each with accounts of its own. One that fails fails the run; too few that are conclusive make it inconclusive. Under its name: what the trial holds the server to."
        },
        class: "stack",
        heads: Table::heads(&["Trial", "Conclusive", "Passed", "Failed", "Inconclusive"]),
        rows: rows.collect(),
    }
    .markup()
}

/// The situations that were met, with how often.
fn met(record: &TrialRecord) -> Option<String> {
    let met = record.met.iter();
    let met = met.map(|(what, times)| format!("{what}: {}", format::count(*times)));
    let met: Vec<String> = met.collect();
    (!met.is_empty()).then(|| met.join("; "))
}

fn reasons(record: &TrialRecord) -> Option<String> {
    let reasons = record.unclear.iter();
    let reasons = reasons.map(|(why, times)| format!("{why}: {}", format::count(*times)));
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// One experiment, line by line.
fn showing(of: &Showing, is_open: bool) -> Markup {
    let lines: Vec<(u64, &str)> = of
        .lines
        .iter()
        .map(|line| (line.at_us, line.text.as_str()))
        .collect();
    let title = format!("{} ({})", of.what, of.account);
    let caption = html! { "Times are seconds since load start; tokens are cut short." };
    story(&title, caption, &lines, is_open)
}

/// Acceptance over the age of a token.
fn ages(curve: &Acceptance) -> Markup {
    let rows = curve.bins.iter().map(|bin| {
        let interval = [bin.low_ratio, bin.high_ratio].map(format::percent);
        vec![
            Cell::text(format::duration(bin.from_us)),
            Cell::count(bin.tried),
            Cell::count(bin.accepted),
            Cell::text(format::percent(bin.accepted_ratio)),
            Cell::text(interval.join(" – ")),
        ]
    });
    html! {
        details {
            summary { (curve.trial) ": the same as a table" }
            (Table {
                caption: html! { "A token counts by the least that its age can have been: it was made between its request and the answer to it." },
                class: "stack",
                heads: Table::heads(&["Age from", "Tried", "Accepted", "Share", "95 % interval"]),
                rows: rows.collect(),
            }.markup())
        }
    }
}
