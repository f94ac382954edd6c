//! This module writes what went wrong for clients in one line, for the terminal and for Markdown.
//!
//! **In:** `failures`. **Out:** text, most first.

use super::words;
use crate::failure::Cause;
use crate::format::{self, append};
use crate::result::RunResult;

/// Kinds of failures that are shown, and how much of the words of each.
const FAILURES_MAX: usize = 8;
const WORDS_CHARS_MAX: usize = 60;

/// `token 503: 156 (store away) [fault]`, most first; who caused it where that is not the server.
pub(super) fn line(result: &RunResult) -> String {
    let shown = result.failures.iter().take(FAILURES_MAX).map(|one| {
        let mut text = format!(
            "{}: {}",
            format::harmless(&one.label),
            format::count(one.count)
        );
        if let Some(words) = one.words.first() {
            append(&mut text, format_args!(" ({})", clipped(words)));
        }
        if one.cause != Cause::Server {
            append(&mut text, format_args!(" [{}]", words::cause(one.cause)));
        }
        text
    });
    let mut texts: Vec<String> = shown.collect();
    // Runs that were saved before failures had causes.
    if result.failures.is_empty() {
        let mut errors: Vec<(&String, &u64)> = result.errors.iter().collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        texts.extend(errors.iter().map(|(label, count)| {
            format!("{}: {}", format::harmless(label), format::count(**count))
        }));
    }
    let more = result.failures.len().saturating_sub(FAILURES_MAX);
    if more > 0 {
        texts.push(format!("and {} more", words::plural(more, "kind")));
    }
    texts.join(", ")
}

/// The beginning of words that came with a failure.
fn clipped(words: &str) -> String {
    let text = format::harmless(words);
    match text.char_indices().nth(WORDS_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
