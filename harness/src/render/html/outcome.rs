//! This module writes the tables of expectations and of faults.
//!
//! **In:** `expectations` and `faults`. **Out:** HTML; broken first, then by use of the limit.

use maud::{Markup, html};

use super::prose::prose;
use super::table::{Cell, Table};
use crate::format::{self, append};
use crate::render::{view, words};
use crate::result::{
    CheckStatus, ExpectationResult, FaultResult, RunResult, bound_text, observed_text,
};
use crate::scenario::expectation::{Quantity, When};

/// A bar ends at one and a half times the limit.
const BAR_RATIO_MAX: f64 = 1.5;
const BAR_PX: f64 = 66.0;

pub(crate) fn expectations(result: &RunResult) -> Markup {
    let rows = view::expectations(result);
    if rows.is_empty() {
        return html! { div.card { p.say { "The scenario expects nothing: the run is held to the built-in checks alone." } } };
    }
    let (broke, open, held) = view::tally(result);
    let mut tally = format!(
        "{}: {broke} broke, {held} held",
        words::plural(rows.len(), "expectation")
    );
    if open > 0 {
        append(&mut tally, format_args!(", {open} could not be judged"));
    }
    Table {
        caption: html! { (tally) ". The worst first." },
        class: "stack exp",
        heads: Table::heads(&[
            "Result",
            "What",
            "When",
            "Observed",
            "Limit",
            "Used of the limit",
            "Line",
        ]),
        rows: rows.into_iter().map(expectation).collect(),
    }
    .markup()
}

fn expectation(row: &ExpectationResult) -> Vec<Cell> {
    let name = Cell::new(html! { b { (format::harmless(&row.name)) } });
    let line = row.expectation.line;
    vec![
        Cell::status(row.status),
        name.found(&row.finding),
        Cell::text(&row.when),
        Cell::observed(&observed_text(row), row.status),
        Cell::text(bound_text(row)),
        Cell::new(used(row)),
        Cell::new(if line == 0 {
            html! { (format::NONE) }
        } else {
            html! { code { ":" (line) } }
        }),
    ]
}

/// The share of the limit as a bar with a tick at 100 %, and in figures.
fn used(row: &ExpectationResult) -> Markup {
    let Some(ratio) = row.used_ratio.filter(|ratio| ratio.is_finite()) else {
        return html! { (format::NONE) };
    };
    let width = ratio.clamp(0.0, BAR_RATIO_MAX) / BAR_RATIO_MAX * BAR_PX;
    let class = match row.status {
        CheckStatus::Broke => "b-bad",
        CheckStatus::Held | CheckStatus::Inconclusive => "b-c1",
    };
    let at = BAR_PX / BAR_RATIO_MAX;
    html! {
        svg.bar viewBox="0 0 66 14" aria-hidden="true" {
            rect.b-grid y="3" width="66" height="8" rx="2" {}
            rect class=(class) y="3" width=(format!("{width:.1}")) height="8" rx="2" {}
            rect.b-ink x=(format!("{:.1}", at - 1.0)) width="2" height="14" {}
        }
        span.pc { (format::percent(ratio)) }
    }
}

/// The faults of the timeline, then what was so all the time.
pub(crate) fn faults(result: &RunResult) -> Markup {
    html! {
        @if !result.faults.is_empty() { (events(result)) }
        @if !result.conditions.is_empty() { (conditions(result)) }
    }
}

fn conditions(result: &RunResult) -> Markup {
    let rows = result.conditions.iter().map(|condition| {
        let confirmed = match condition.stamps.confirmed_us {
            Some(us) => Cell::text(format::stamp(us)),
            None => Cell::text("not confirmed").class("bad"),
        };
        let note = match &condition.stamps.problem {
            Some(problem) => html! { (prose(&condition.what)) "; " (prose(problem)) },
            None => prose(&condition.what),
        };
        vec![
            Cell::text(&condition.name).note(note),
            Cell::text(format::stamp(condition.planned_us)),
            confirmed,
        ]
    });
    Table {
        caption: html! { "In force to the end of the load: no event, but the network the run took place in." },
        class: "stack faults",
        heads: Table::heads(&["Condition", "From", "Confirmed"]),
        rows: rows.collect(),
    }
    .markup()
}

fn events(result: &RunResult) -> Markup {
    let confirmed = result.faults.iter().filter(|fault| fault.confirmed).count();
    let planned = words::plural(result.faults.len(), "fault");
    Table {
        caption: html! {
            (planned) " planned, " (confirmed) " confirmed by a probe. Times are seconds since load start; the small figures are the delay against the plan."
        },
        class: "stack faults",
        heads: Table::heads(&[
            "Fault",
            "Planned",
            "Injected",
            "Confirmed",
            "Healed",
            "Healed, confirmed",
            "Impact",
            "Detected",
            "Recovered",
            "Backlog drained",
            "Lost",
            "Budget burned",
        ]),
        rows: result.faults.iter().map(|fault| fault_row(result, fault)).collect(),
    }
    .markup()
}

fn fault_row(result: &RunResult, fault: &FaultResult) -> Vec<Cell> {
    let stamps = &fault.stamps;
    let (from_us, to_us) = (fault.planned_us, fault.planned_us + fault.planned_for_us);
    let stamp = |at_us: Option<u64>, planned_us: u64| match at_us {
        Some(us) => Cell::text(format::stamp(us)).note(html! { (format::delta(planned_us, us)) }),
        None => Cell::text(format::NONE),
    };
    let confirmed = if fault.confirmed {
        stamp(stamps.confirmed_us, from_us)
    } else {
        Cell::text("not confirmed").class("bad")
    };
    let name = match &stamps.problem {
        Some(problem) => html! { (prose(&fault.what)) "; " (prose(problem)) },
        None => prose(&fault.what),
    };
    vec![
        Cell::text(&fault.name).note(name),
        Cell::text(format::stamp(from_us)).note(html! { "to " (format::stamp(to_us)) }),
        stamp(stamps.injected_us, from_us),
        confirmed,
        stamp(stamps.healed_us, to_us),
        stamp(stamps.heal_confirmed_us, to_us),
        impact(fault),
        detected(fault),
        recovered(result, fault),
        Cell::text(format::duration_or_none(fault.backlog_drain_us)),
        Cell::fault(fault.delivery.lost),
        Cell::text(format::percent(fault.budget_burned_ratio))
            .note(html! { "of a day at 99.9" (format::NBSP) "%" }),
    ]
}

fn impact(fault: &FaultResult) -> Cell {
    match fault.impact_us {
        Some(us) => Cell::text(format::duration(us)).note(html! { "after injection" }),
        None => Cell::text("none"),
    }
}

fn detected(fault: &FaultResult) -> Cell {
    match (fault.stamps.readiness_watched, fault.detect_us) {
        (_, Some(us)) => Cell::text(format::duration(us)).note(html! { code { "/readyz" } " red" }),
        (true, None) => Cell::text("never"),
        (false, None) => Cell::text("n/a"),
    }
}

/// Bad where an expectation on the recovery from this fault broke, or there was no recovery.
fn recovered(result: &RunResult, fault: &FaultResult) -> Cell {
    let about = |row: &ExpectationResult| match &row.expectation.when {
        When::During { fault: name } => *name == fault.name,
        // Of several faults the worst is judged, whichever it is.
        When::WholeRun | When::OutsideFaults => result.faults.len() == 1,
        When::Ramp | When::Stage { .. } => false,
    };
    let broke = result.expectations.iter().any(|row| {
        row.status == CheckStatus::Broke && row.expectation.what == Quantity::Recovery && about(row)
    });
    let class = if broke || fault.recovery_us.is_none() {
        "bad"
    } else {
        ""
    };
    Cell::text(words::recovery(fault))
        .class(class)
        .note(html! { "after heal, p99 ≤ " (format::round_duration(fault.tolerance_us as f64)) })
}
