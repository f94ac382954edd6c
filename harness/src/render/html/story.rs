//! This module writes what one client did and heard, step by step.
//!
//! **In:** moments and texts. **Out:** an HTML table, folded but for the one that a reader should see first.

use maud::{Markup, html};

use super::prose::prose;
use super::table::{Cell, Table};
use crate::format;
use crate::render::words;

/// Steps in order of time; microseconds since load start. `title` may hold `code`.
pub(crate) fn story(title: &str, caption: Markup, steps: &[(u64, &str)], is_open: bool) -> Markup {
    let begun_us = steps.first().map_or(0, |(at_us, _)| *at_us);
    let rows = steps.iter().map(|(at_us, text)| {
        let after = format::duration(at_us.saturating_sub(begun_us));
        vec![
            Cell::text(format::stamp(*at_us)).note(html! { "+" (after) }),
            Cell::new(html! { code { (format::harmless(text)) } }),
        ]
    });
    let table = Table {
        caption,
        class: "stack left story",
        heads: Table::heads(&["At", "What happened"]),
        rows: rows.collect(),
    };
    html! {
        details open[is_open] {
            summary { (prose(title)) ": " (words::plural(steps.len(), "step")) }
            (table.markup())
        }
    }
}
