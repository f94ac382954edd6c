//! This module holds the `[[fault]]` entries as typed.
//!
//! **In:** a section of the document. **Out:** [`Fault`]: where it acts, what it does, when, on how
//! much. Whether it fits the load and the environment is for the plan to say.

use std::time::Duration;

use super::document::Node;
use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::suggest;
use super::value::{self, HOUR, MS};

mod kind;
mod link;
pub(super) mod schema;

pub(crate) use kind::*;
pub(crate) use link::{LINKS, Link, STREAMS, Streams};

/// Most faults of one scenario.
pub(super) const FAULTS_MAX: usize = 64;

/// One `[[fault]]`. A part is `None` where it was missing or wrong, which is a problem already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// Path of the entry: `fault[0]`.
    pub field: String,
    pub at: Place,
    pub name: Option<Located<String>>,
    pub start: Option<Located<Duration>>,
    pub length: Length,
    /// `None` for faults of a process.
    pub link: Option<Located<Link>>,
    pub kind: Option<&'static Kind>,
    /// The kind with its numbers and the link.
    pub action: Option<FaultKind>,
    pub streams: Streams,
    /// Share of the connections that are affected: above 0, at most 1.
    pub toxicity_ratio: f64,
}

/// How long a fault lasts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Length {
    For(Located<Duration>),
    /// It acts at one moment.
    Moment,
    /// To the end of the load: a condition of the run, not an event in it.
    Condition,
    /// Missing or wrong, which is a problem already.
    Unknown,
}

/// Reads all `[[fault]]` entries.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Vec<Fault> {
    let sections = root.tables(problems, "fault", FAULTS_MAX);
    sections
        .into_iter()
        .map(|section| one(section, problems))
        .collect()
}

fn one(mut section: Section<'_>, problems: &mut Problems) -> Fault {
    let fault_hint = "write when it starts, counted from the start of the load: at = \"20s\"";
    let name = section.read(problems, "name", value::plain_name);
    let start = section.require(
        problems,
        "at",
        fault_hint,
        value::duration(Duration::ZERO..=24 * HOUR),
    );
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let kind_hint = format!(
        "write what goes wrong: kind = \"down\"; known: {}",
        names.join(", ")
    );
    let named = KINDS.iter().map(|kind| (kind.name, kind)).collect();
    let kind = section.require(problems, "kind", &kind_hint, value::choice_of(named));
    let kind = kind.map(|kind| kind.value);
    let length = length(&mut section, kind, problems);
    let link = link(&mut section, kind, problems);
    let on = link.as_ref().map(|link| link.value);
    let action = kind.and_then(|kind| (kind.read)(&mut section, on, problems));
    let streams = streams(&mut section, kind, problems);
    let toxicity_ratio = toxicity(&mut section, kind, problems);
    let fault = Fault {
        field: section.path().to_owned(),
        at: section.at.clone(),
        name,
        start,
        length,
        link,
        kind,
        action,
        streams,
        toxicity_ratio,
    };
    // Which keys belong here depends on the kind: without one, nothing can be called unknown.
    if kind.is_some() {
        section.finish(problems);
    }
    fault
}

fn length(section: &mut Section<'_>, kind: Option<&Kind>, problems: &mut Problems) -> Length {
    let read = value::duration(100 * MS..=24 * HOUR);
    if kind.is_some_and(|kind| kind.is_moment) {
        if let Some(node) = section.node("for") {
            let complaint = Complaint::new("this kind acts at one moment and lasts no time")
                .hint("leave `for` out");
            problems.add(&node.at, section.field("for"), complaint);
        }
        return Length::Moment;
    }
    // A toxic may last as a property of the network rather than an event.
    if kind.is_some_and(|kind| kind.reach.is_toxic()) && !section.has("for") {
        return Length::Condition;
    }
    let hint = "write how long it lasts: for = \"5s\"";
    match section.require(problems, "for", hint, read) {
        Some(length) => Length::For(length),
        None => Length::Unknown,
    }
}

fn streams(section: &mut Section<'_>, kind: Option<&Kind>, problems: &mut Problems) -> Streams {
    let usual = match kind.map(|kind| kind.reach) {
        Some(Reach::Bytes(usual)) => usual,
        Some(Reach::Connections | Reach::Link | Reach::Redis | Reach::Server) => {
            // Here the key is unknown, and is called so.
            return Streams::Downstream;
        }
        None => Streams::Downstream,
    };
    let read = value::choice(&STREAMS);
    section.read_or(problems, "stream", usual, read).value
}

fn toxicity(section: &mut Section<'_>, kind: Option<&Kind>, problems: &mut Problems) -> f64 {
    let read = |node: &Node| {
        let share = value::number(0.0..=1.0)(node)?;
        if share > 0.0 {
            return Ok(share);
        }
        Err(Complaint::new("a fault that affects no connection is none")
            .hint("write the share of the connections it affects, such as toxicity = 0.1"))
    };
    if kind.is_none_or(|kind| kind.reach.is_toxic()) {
        return section.read_or(problems, "toxicity", 1.0, read).value;
    }
    1.0
}

fn link(
    section: &mut Section<'_>,
    kind: Option<&Kind>,
    problems: &mut Problems,
) -> Option<Located<Link>> {
    let names: Vec<&str> = LINKS.iter().map(|(name, _)| *name).collect();
    if let Some(process) = kind.and_then(|kind| kind.reach.process()) {
        if let Some(node) = section.node("link") {
            let fact = format!("this kind acts on the process of {process}, not on a link");
            let complaint = Complaint::new(fact).hint("leave `link` out");
            problems.add(&node.at, section.field("link"), complaint);
        }
        return None;
    }
    if kind.is_none() {
        return section.read(problems, "link", value::choice(&LINKS));
    }
    let hint = format!(
        "write where it acts: link = \"redis\"; known: {}",
        names.join(", ")
    );
    section.require(problems, "link", &hint, value::choice(&LINKS))
}

/// A hint for a name that no fault of the scenario bears.
pub(crate) fn unknown_name_hint(typed: &str, names: &[&str]) -> String {
    if names.is_empty() {
        "the scenario has no [[fault]]".to_owned()
    } else {
        suggest::hint(typed, names)
    }
}
