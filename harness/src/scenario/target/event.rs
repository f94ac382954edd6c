//! This module reads what a server calls its events.
//!
//! **In:** `events` of `[target]`. **Out:** [`EventNames`]: of each event a name, the shape of its frames, or that there is
//! none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::frame::{self, FrameMatch};
use super::framing;
use super::part::{NONE, TEXT_MAX};
use crate::scenario::document::{Node, Value};
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::section::Section;
use crate::scenario::value;

const IGNORED_MAX: usize = 64;

/// What a server calls its events; `None`: it has no such event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EventNames {
    /// Where the name of the event stands; `None`: every frame is an answer.
    pub field: Option<String>,
    /// `None`: a socket is ready when the upgrade is done.
    pub connected: Option<EventName>,
    pub queued: Option<EventName>,
    pub started: Option<EventName>,
    pub chunk: Option<EventName>,
    pub complete: Option<EventName>,
    /// The whole answer in one frame.
    pub answer: Option<EventName>,
    pub pong: Option<EventName>,
    pub expiring: Option<EventName>,
    pub error: Option<EventName>,
    /// Events that mean nothing to a client.
    pub ignore: Vec<EventName>,
}

/// How the frames of an event are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum EventName {
    /// By what stands in `events.field`.
    Named(String),
    Shaped(FrameMatch),
}

impl EventNames {
    /// What frames of events look like that are not known by a name.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = &FrameMatch> {
        let names = [
            &self.connected,
            &self.queued,
            &self.started,
            &self.chunk,
            &self.complete,
            &self.answer,
            &self.pong,
            &self.expiring,
            &self.error,
        ];
        let names = names.into_iter().flatten().chain(&self.ignore);
        names.filter_map(|name| match name {
            EventName::Shaped(shape) => Some(shape),
            EventName::Named(_) => None,
        })
    }
}

impl EventName {
    fn named(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

/// Reads `events`. A server that is opened by its handshake alone greets its clients, as the contract has it.
pub(super) fn read(section: &mut Section<'_>, greets: bool, problems: &mut Problems) -> EventNames {
    let mut table = section.table(problems, "events");
    let field = table.read_or(problems, "field", "event".to_owned(), framing::place);
    let field = Some(field.value).filter(|field| field != NONE);
    let mut name = |key, usual: Option<&str>| event(&mut table, problems, key, usual);
    let mut events = EventNames {
        field,
        connected: name("connected", greets.then_some("connected")),
        queued: name("queued", Some("task_queued")),
        started: name("started", Some("processing_started")),
        chunk: name("chunk", Some("chunk")),
        complete: name("complete", Some("complete")),
        answer: name("answer", None),
        pong: name("pong", Some("pong")),
        expiring: name("expiring", Some("token_expiring_soon")),
        error: name("error", Some("error")),
        ignore: Vec::new(),
    };
    let ignore = value::list(IGNORED_MAX, shape);
    let ignore = table.read(problems, "ignore", ignore);
    events.ignore = ignore.map_or_else(Vec::new, |ignore| ignore.value);
    table.finish(problems);
    events
}

/// A name, the shape of a frame, or "none".
fn event(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: Option<&str>,
) -> Option<EventName> {
    match table.read(problems, key, shape) {
        Some(read) => Some(read.value).filter(|event| *event != EventName::named(NONE)),
        None => usual.map(EventName::named),
    }
}

fn shape(node: &Node) -> Result<EventName, Complaint> {
    match &node.value {
        Value::Table(_) => frame::read(node).map(EventName::Shaped),
        _ => value::text(TEXT_MAX)(node).map(EventName::Named),
    }
}
