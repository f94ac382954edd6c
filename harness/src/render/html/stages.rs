//! This module writes how long each stage took in each window of the run.
//!
//! **In:** `windows` and the view of the whole run. **Out:** an HTML table: p50 and p99, with how many there were.

use maud::{Markup, html};

use super::table::{Cell, Table};
use crate::format;
use crate::render::words;
use crate::result::{RunResult, Summary, Window};
use crate::scenario::expectation::When;
use crate::stage::Stage;

/// Samples without which a p99 is none.
const P99_SAMPLES: u64 = 100;

/// Nothing where no stage was measured.
pub(crate) fn section(result: &RunResult) -> Markup {
    let whole = result.window(&When::WholeRun);
    let windows: Vec<&Window> = result.windows.iter().chain(whole).collect();
    let of = |window: &Window, stage: Stage| window.latency.get(stage.name()).copied();
    let is_known = |stage: &Stage| windows.iter().any(|window| of(window, *stage).is_some());
    let stages: Vec<Stage> = Stage::ALL.into_iter().filter(is_known).collect();
    if stages.is_empty() {
        return html! {};
    }
    let row = |stage: Stage| {
        let cells = windows.iter().map(|window| cell(of(window, stage)));
        [Cell::text(stage.name())]
            .into_iter()
            .chain(cells)
            .collect()
    };
    let names = windows.iter().map(|window| words::window(window));
    Table {
        caption: html! {
            "How long each stage took, by window: p50 · p99 of the response times, with how many there were and the longest. Fewer than "
            (P99_SAMPLES) " have no p99."
        },
        class: "stack",
        heads: ["Stage".to_owned()].into_iter().chain(names).collect(),
        rows: stages.into_iter().map(row).collect(),
    }
    .markup()
}

fn cell(of: Option<Summary>) -> Cell {
    let Some(of) = of.filter(|of| of.count > 0) else {
        return Cell::text(format::NONE).class("zero");
    };
    let p99 = (of.count >= P99_SAMPLES).then_some(of.p99_us);
    let both = format!(
        "{} · {}",
        format::duration(of.p50_us),
        format::duration_or_none(p99)
    );
    let note = html! { (format::count(of.count)) ", max " (format::duration(of.max_us)) };
    Cell::text(both).note(note)
}
