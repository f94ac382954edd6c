//! This module writes `report.html`: one file, offline, readable without a script.
//!
//! **In:** the result. **Out:** HTML in the order of a reader's questions: what is the verdict, can
//! it be trusted, what was asked, what broke, when, what became of every message, how sessions
//! ended, where the time goes, and on what machine.
//!
//! Everything from outside is escaped by `maud`; the content security policy allows this page's own
//! style and script by their hash and nothing else, so a hostile name cannot load or run anything.

pub(super) mod document;
mod environment;
pub(super) mod figure;
mod glossary;
mod messages;
mod outcome;
pub(super) mod prose;
mod stages;
mod story;
pub(super) mod table;
mod time;
mod trials;
mod trust;
mod verdict;

use maud::{Markup, html};

use super::plot::{self, Chart, Picture};
use super::renderer::{RenderError, Renderer};
use super::{file, view, words};
use crate::format;
use crate::result::{RunResult, Status};

/// `report.html`.
pub(crate) struct Html;

impl Renderer for Html {
    fn file(&self) -> &'static str {
        file::PAGE
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let charts = Charts::draw(result)?;
        let look = words::status(result.verdict.status);
        let title = format!(
            "{} {}: {}",
            look.word,
            format::harmless(&result.run.title),
            format::harmless(&result.verdict.sentence)
        );
        document::document(&title, &body(result, &charts), &charts.with_cursor())
    }
}

/// Every chart of the page.
struct Charts {
    over_time: Vec<Chart>,
    distribution: Chart,
    lateness: Chart,
    stages: Option<Chart>,
    acceptance: Option<Chart>,
    reconnects: Option<Chart>,
}

impl Charts {
    fn draw(result: &RunResult) -> Result<Self, RenderError> {
        Ok(Self {
            over_time: plot::over_time(result)?,
            distribution: Picture::Distribution.chart(result)?,
            lateness: Picture::Lateness.chart(result)?,
            stages: plot::stages::chart(result)?,
            acceptance: plot::acceptance::chart(result)?,
            reconnects: plot::reconnects::chart(result)?,
        })
    }

    fn with_cursor(&self) -> Vec<&Chart> {
        let always = [&self.distribution, &self.lateness];
        let over_time = self.over_time.iter().chain(always);
        over_time.chain(&self.reconnects).collect()
    }
}

/// A part of the page that the navigation leads to.
struct Section {
    id: &'static str,
    title: &'static str,
    /// In the navigation.
    short: &'static str,
    body: Markup,
}

fn body(result: &RunResult, charts: &Charts) -> Markup {
    let sections = sections(result, charts);
    html! {
        @if let Some(first) = sections.first() {
            a.skip href={ "#" (first.id) } { "Skip to the results" }
        }
        main {
            header {
                (verdict::banner(result))
                (verdict::facts(result))
                nav aria-label="On this page" {
                    button.theme type="button" { "Light / dark" }
                    ul {
                        @for section in &sections {
                            li { a href={ "#" (section.id) } { (section.short) } }
                        }
                    }
                }
            }
            (verdict::cards(result))
            @for section in &sections {
                section id=(section.id) {
                    h2 { (section.title) }
                    (section.body)
                }
            }
            footer {
                "Latency counts from the moment a message should have been sent. Times are seconds since load start. Drawn from "
                code { "result.json" } " by " code { "harness report" } "; nothing is computed here."
            }
        }
    }
}

/// The sections in their order; the harness's own account first where it decides the verdict.
fn sections(result: &RunResult, charts: &Charts) -> Vec<Section> {
    let one = |id, title, short, body| Section {
        id,
        title,
        short,
        body,
    };
    let mut sections = run_sections(result, charts);
    let trust = one(
        "trust",
        "Can the numbers be trusted?",
        "Trust",
        trust::section(result, &charts.lateness),
    );
    let first = matches!(result.verdict.status, Status::Invalid);
    let place = if first { 0 } else { sections.len() };
    sections.insert(place, trust);
    let environment = environment::section(result);
    sections.push(one(
        "environment",
        "Environment",
        "Environment",
        environment,
    ));
    let again = environment::again(result);
    sections.push(one("again", "Run it again", "Run it again", again));
    let words = glossary::section();
    sections.push(one("words", "What the words mean", "Words", words));
    sections
}

/// What the run showed.
fn run_sections(result: &RunResult, charts: &Charts) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |id, title, short, body| {
        sections.push(Section {
            id,
            title,
            short,
            body,
        });
    };
    // A scenario may ask by trials alone.
    if !result.expectations.is_empty() || result.trials.is_empty() {
        let expectations = outcome::expectations(result);
        add("expectations", "Expectations", "Expectations", expectations);
    }
    if !result.faults.is_empty() || !result.conditions.is_empty() {
        add("faults", "Faults", "Faults", outcome::faults(result));
    }
    if !result.trials.is_empty() {
        add(
            "trials",
            "Trials",
            "Trials",
            trials::section(result, charts.acceptance.as_ref()),
        );
    }
    add(
        "time",
        "Over time",
        "Over time",
        time::section(result, &charts.over_time),
    );
    let windows =
        html! { (messages::windows(result)) (messages::parts(result)) (stages::section(result)) };
    add(
        "messages",
        "What became of every message",
        "Messages",
        windows,
    );
    let ends = messages::sessions(result, charts.reconnects.as_ref());
    add(
        "sessions",
        "Sessions: how they ended and came back",
        "Sessions",
        ends,
    );
    let pair = figure::pair(&charts.distribution, charts.stages.as_ref());
    add("distribution", "Distribution", "Distribution", pair);
    if !result.examples.is_empty() {
        let examples = messages::examples(result);
        add("examples", "Messages that went wrong", "Examples", examples);
    }
    let told = view::stories(result);
    if result.verdict.status == Status::Fail && !told.is_empty() {
        let stories = messages::stories(&told);
        add("stories", "Sessions worth a look", "Stories", stories);
    }
    sections
}
