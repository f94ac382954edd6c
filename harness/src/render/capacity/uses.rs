//! This module draws what each probe used of what there is: one table a probe, the one at the limit open.
//!
//! **In:** an answer. **Out:** a section of the page, or nothing where nothing was read.

use maud::{Markup, html};

use super::cells;
use crate::capacity::account::Answer;
use crate::capacity::probe::Probe;
use crate::format;
use crate::render::html::table::{Cell, Table};

pub(super) fn section(answer: &Answer) -> Markup {
    let mut probes: Vec<(usize, &Probe)> = (1..).zip(&answer.probes).collect();
    probes.retain(|(_, probe)| !probe.uses.is_empty());
    probes.sort_by_key(|(_, probe)| probe.load);
    let at_limit = cells::at_limit(answer);
    let unit = answer.asked.axis.unit();
    html! {
        @if !probes.is_empty() {
            section id="used" {
                h2 { "What was full" }
                p { "Processors on average of the steady part, of this machine and of session threads over their busiest 5 s; all else at its most. A dash: there is no limit, or none that can be read." }
                @for (number, probe) in probes {
                    @let look = cells::came(probe.came);
                    details open[at_limit.is_some_and(|limit| std::ptr::eq(limit, probe))] {
                        summary {
                            (format::count(probe.load)) " " (unit) " "
                            span class=(look.class) { span aria-hidden="true" { (look.mark) } " " (look.word) }
                            ": " (format::harmless(&cells::fullest(probe)))
                        }
                        (table(number, probe))
                    }
                }
            }
        }
    }
}

fn table(number: usize, probe: &Probe) -> Markup {
    let rows = probe.uses.iter().map(|of| {
        let class = if of.is_full() { "bad" } else { "" };
        let side = if of.generator { "generator" } else { "target" };
        vec![
            Cell::text(&of.what),
            Cell::text(&of.text),
            Cell::text(cells::share(of)).class(class),
            Cell::text(side),
        ]
    });
    let table = Table {
        caption: html! { "Probe " (number) ": what was used, the fullest first." },
        class: "stack left",
        heads: Table::heads(&["what", "used", "share", "side"]),
        rows: rows.collect(),
    };
    table.markup()
}
