//! This module writes down what a client does and hears, line by line.
//!
//! **In:** notes, and every frame of the sockets that hold the same [`Journal`]. **Out:** [`Line`]s in order
//! of time. Bounded: the first and the last [`LINES_MAX`] lines are kept, and a long text is cut. No secret is
//! ever in it: tokens travel in addresses and headers, which are not written down.
//!
//! **Units:** nanoseconds on the monotonic clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::clock::monotonic_ns;
use crate::format;

/// Lines kept from the beginning, and as many from the end.
const LINES_MAX: usize = 30;
/// Longest text of a line, in characters.
const TEXT_CHARS_MAX: usize = 160;

/// One journal; copies write into the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    first: Vec<Line>,
    last: VecDeque<Line>,
    dropped: u64,
}

/// What happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub at_ns: u64,
    /// Safe to print.
    pub text: String,
}

impl Journal {
    /// Adds a line.
    pub(crate) fn note(&self, text: &str) {
        let Ok(mut lines) = self.0.lock() else { return };
        let line = Line {
            at_ns: monotonic_ns(),
            text: clipped(text),
        };
        if lines.first.len() < LINES_MAX {
            lines.first.push(line);
            return;
        }
        lines.last.push_back(line);
        if lines.last.len() > LINES_MAX {
            lines.last.pop_front();
            lines.dropped += 1;
        }
    }

    /// All lines, with one that says how many are left out where some are; the journal is empty then.
    pub(crate) fn take(&self) -> Vec<Line> {
        let taken = self.0.lock().map(|mut lines| std::mem::take(&mut *lines));
        let Lines {
            mut first,
            last,
            dropped,
        } = taken.unwrap_or_default();
        if let (1.., Some(next)) = (dropped, last.front()) {
            first.push(Line {
                at_ns: next.at_ns,
                text: format!("({dropped} lines left out)"),
            });
        }
        first.extend(last);
        first
    }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", format::harmless(&text[..end])),
        None => format::harmless(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_bounded_and_says_what_it_left_out() {
        let journal = Journal::default();
        let other = journal.clone();
        other.note(&"x".repeat(10_000));
        for number in 1..100 {
            journal.note(&format!("\u{1b}[31m{number}"));
        }
        let lines = journal.take();
        assert_eq!(lines.len(), 2 * LINES_MAX + 1);
        assert_eq!(lines[0].text.chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(lines[LINES_MAX].text, "(40 lines left out)");
        assert_eq!(lines[2 * LINES_MAX].text, "\u{fffd}[31m99");
        assert!(journal.take().is_empty());
    }
}
