//! This module prints sentences that hold `code`.
//!
//! **In:** text with code between backticks. **Out:** escaped HTML.

use maud::{Markup, html};

use crate::format;

/// Every second part between backticks is code; an unpaired backtick stays as it is.
pub(crate) fn prose(text: &str) -> Markup {
    let text = format::harmless(text);
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (place, part) in parts.iter().enumerate() {
                @if place % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else {
            (text)
        }
    }
}

/// As [`prose`], with the first sentence in bold: the finding, then what is to be said about it.
pub(crate) fn finding(text: &str) -> Markup {
    match text.split_once(". ") {
        Some((first, rest)) => html! { b { (prose(first)) "." } " " (prose(rest)) },
        None => prose(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_marked_and_everything_is_escaped() {
        assert_eq!(
            prose("`a<b>` & c").into_string(),
            "<code>a&lt;b&gt;</code> &amp; c"
        );
        assert_eq!(prose("it`s").into_string(), "it`s");
        assert_eq!(
            finding("42 lost. All in flight.").into_string(),
            "<b>42 lost.</b> All in flight."
        );
    }
}
