//! This module writes the head of the page: verdict, trust, facts, and the three cards.
//!
//! **In:** the verdict and the run. **Out:** HTML. The sentence is the result's own.

use maud::{Markup, html};

use super::prose::{finding, prose};
use crate::exit::Exit;
use crate::format;
use crate::render::words;
use crate::result::{RunResult, Status};

/// Lines of a card.
const LINES_MAX: usize = 6;

/// The verdict in one sentence, then whether it can be trusted.
pub(crate) fn banner(result: &RunResult) -> Markup {
    let verdict = &result.verdict;
    let look = words::status(verdict.status);
    let meaning = match verdict.status {
        Status::Pass | Status::Fail => Exit::of(result.exit_code).name(),
        // `INTERRUPTED · exit 130` says it already.
        Status::Invalid | Status::Inconclusive | Status::Interrupted => "",
    };
    html! {
        div class={ "verdict " (look.class) } {
            span.badge {
                span aria-hidden="true" { (look.mark) " " } (look.word) " · exit " (result.exit_code)
                @if !meaning.is_empty() { ", " (meaning) }
            }
            h1 { (prose(&verdict.sentence)) }
            @if !verdict.also.is_empty() {
                p { "Also: " (prose(&verdict.also.join("; "))) "." }
            }
            @if verdict.status != Status::Invalid {
                p.trust { (trust(&verdict.trust)) }
            }
        }
    }
}

/// Which run this is, in one line.
pub(crate) fn facts(result: &RunResult) -> Markup {
    let run = &result.run;
    html! {
        ul.meta {
            li { b { (format::harmless(&run.title)) } }
            li { (started(&run.started_at)) }
            li { (format::duration(run.duration_us)) @if run.interrupted { ", interrupted" } @if let Some(rule) = &run.aborted { ", ended early: " (format::harmless(rule)) } }
            li { (format::count(result.clients.planned)) " clients" }
            li { "seed " (run.seed) }
            li { "run " code { (format::harmless(&run.id)) } }
            @if let Some(commit) = &run.commit {
                li { "commit " code { (format::harmless(commit)) } }
            }
        }
    }
}

/// Asked, broke, held, and between them what could not be judged, where there is such.
pub(crate) fn cards(result: &RunResult) -> Markup {
    let verdict = &result.verdict;
    html! {
        div.three role="group" aria-label="Summary" {
            div.card.asked {
                h2 { "What was asked" }
                p { (prose(&result.run.question)) }
            }
            div class={ "card " (if verdict.broke.is_empty() { "calm" } else { "broke" }) } {
                h2 { "What broke" }
                @if verdict.broke.is_empty() { p { "Nothing." } } @else { (list(&verdict.broke)) }
            }
            @if !verdict.untrusted.is_empty() {
                div.card.broke {
                    h2 { "Seen, not to be trusted" }
                    (list(&verdict.untrusted))
                }
            }
            @if !verdict.open.is_empty() {
                div.card.open {
                    h2 { "What could not be judged" }
                    (list(&verdict.open))
                }
            }
            div class={ "card " (if verdict.held.is_empty() { "calm" } else { "held" }) } {
                h2 { "What held" }
                @if verdict.held.is_empty() { p { "Nothing was shown to hold." } } @else { (list(&verdict.held)) }
            }
        }
    }
}

/// `2026-11-21 06:12:04 UTC`, as a person writes it.
fn started(rfc3339: &str) -> String {
    let text = format::harmless(rfc3339);
    match text.strip_suffix('Z') {
        Some(utc) => {
            let whole = utc.split('.').next().unwrap_or(utc);
            format!("{} UTC", whole.replacen('T', " ", 1))
        }
        None => text,
    }
}

/// The first word in bold: valid, or not.
fn trust(text: &str) -> Markup {
    match text.split_once(": ") {
        Some((word, rest)) => html! { b { (prose(word)) ":" } " " (prose(rest)) },
        None => prose(text),
    }
}

fn list(lines: &[String]) -> Markup {
    let more = lines.len().saturating_sub(LINES_MAX);
    html! {
        ul {
            @for line in lines.iter().take(LINES_MAX) { li { (finding(line)) } }
            @if more > 0 { li.zero { "and " (more) " more, below" } }
        }
    }
}
