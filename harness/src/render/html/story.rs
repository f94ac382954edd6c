//! This module writes what one client did and heard, step by step.
//!
//! **In:** moments and texts. **Out:** an HTML table.

use maud::{Markup, html};

use super::table::{Cell, Table};
use crate::format;

/// Steps in order of time; microseconds since load start.
pub(crate) fn story(caption: Markup, steps: &[(u64, &str)]) -> Markup {
    let begun_us = steps.first().map_or(0, |(at_us, _)| *at_us);
    let rows = steps.iter().map(|(at_us, text)| {
        let after = format::duration(at_us.saturating_sub(begun_us));
        vec![
            Cell::text(format::stamp(*at_us)).note(html! { "+" (after) }),
            Cell::new(html! { code { (format::harmless(text)) } }),
        ]
    });
    Table {
        caption,
        class: "stack left",
        heads: Table::heads(&["At", "What happened"]),
        rows: rows.collect(),
    }
    .markup()
}
