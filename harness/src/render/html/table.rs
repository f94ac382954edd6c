//! This module builds tables that stack on a phone and still are tables to a screen reader.
//!
//! **In:** heads and cells. **Out:** HTML with explicit roles (CSS `display` would remove them).

use maud::{Markup, html};

use super::glossary;
use super::prose::prose;
use crate::format;
use crate::render::words;
use crate::result::{CheckStatus, Delivery};
use crate::scenario::expectation::Outcome;

/// One cell; the first of a row is its header.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    body: Markup,
    note: Option<Markup>,
    class: &'static str,
}

impl Cell {
    pub(crate) fn new(body: Markup) -> Self {
        Self {
            body,
            note: None,
            class: "",
        }
    }

    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        let text = format::harmless(text.as_ref());
        Self::new(html! { (text) })
    }

    /// A count; zeros are printed, in grey.
    pub(crate) fn count(count: u64) -> Self {
        Self::text(format::count(count)).class(if count == 0 { "zero" } else { "" })
    }

    /// A count that is bad unless it is zero.
    pub(crate) fn fault(count: u64) -> Self {
        Self::text(format::count(count)).class(if count == 0 { "zero" } else { "bad" })
    }

    /// An outcome of messages.
    pub(crate) fn ledger(outcome: Outcome, of: &Delivery) -> Self {
        let count = of.of(outcome);
        if outcome.is_promise() {
            Self::fault(count)
        } else {
            Self::count(count)
        }
    }

    /// Whether an expectation or a check held: never by colour alone.
    pub(crate) fn status(status: CheckStatus) -> Self {
        let look = words::check(status);
        let body = html! { span aria-hidden="true" { (look.mark) } " " (look.word) };
        Self::new(body).class(look.class)
    }

    /// What an expectation or a check saw.
    pub(crate) fn observed(text: &str, status: CheckStatus) -> Self {
        Self::text(text).class(match status {
            CheckStatus::Broke => "bad",
            CheckStatus::Held | CheckStatus::Inconclusive => "",
        })
    }

    /// A finding as its second line, where there is one.
    pub(crate) fn found(self, finding: &str) -> Self {
        if finding.is_empty() {
            self
        } else {
            self.note(prose(finding))
        }
    }

    /// A second, smaller line.
    pub(crate) fn note(mut self, note: Markup) -> Self {
        self.note = Some(note);
        self
    }

    pub(crate) fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

/// A table.
pub(crate) struct Table {
    pub caption: Markup,
    /// `stack` turns rows into cards on a phone.
    pub class: &'static str,
    pub heads: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn heads(heads: &[&str]) -> Vec<String> {
        heads.iter().map(|&head| head.to_owned()).collect()
    }

    pub(crate) fn markup(&self) -> Markup {
        html! {
            div.scroll {
                table role="table" class=(self.class) {
                    caption { (self.caption) }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for head in &self.heads {
                                th role="columnheader" scope="col" { (explained(head)) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for row in &self.rows {
                            tr role="row" {
                                @for (place, cell) in row.iter().enumerate() {
                                    (self.cell(place, cell))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The cell of a row.
    fn cell(&self, place: usize, cell: &Cell) -> Markup {
        let class = (!cell.class.is_empty()).then_some(cell.class);
        let body = html! {
            (cell.body)
            @if let Some(note) = &cell.note { small { (note) } }
        };
        // What never stacks keeps the roles of its elements, and needs no head in every cell.
        if !self.class.starts_with("stack") {
            return html! {
                @if place == 0 { th scope="row" class=[class] { (body) } } @else { td class=[class] { (body) } }
            };
        }
        html! {
            @if place == 0 {
                th role="rowheader" scope="row" class=[class] { (body) }
            } @else {
                td role="cell" data-h=[self.heads.get(place)] class=[class] { div { (body) } }
            }
        }
    }
}

/// A head, with its meaning where it is a word of the glossary.
fn explained(head: &str) -> Markup {
    html! {
        @match glossary::meaning(head) {
            Some(meaning) => abbr title=(meaning) { (head) },
            None => (head),
        }
    }
}
