//! This module is what a protocol that ships knows of a talk: which frames it reads already, and what they are.
//!
//! **In:** a protocol, by name. **Out:** [`Base`]: its keys, and what it makes of a frame.

use std::borrow::Cow;

use super::leaf;
use super::shape::is_name;
use super::talk::Said;
use crate::client::dialect::read_seen;
use crate::client::frame::Seen;
use crate::client::wire::ServerFrame;
use crate::plan::{Dialect, FrameMatch};
use crate::scenario::{self, Overrides, protocol};

/// A protocol that ships.
pub(super) struct Base {
    pub(super) name: &'static str,
    /// Its keys.
    pub(super) keys: toml::Table,
    pub(super) dialect: Dialect,
}

/// What a protocol makes of a frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    Unknown,
    /// It is ready, it answers a heartbeat or is answered, or it passes by.
    Aside,
    Pong,
    Error,
    /// Of an answer, but not its end.
    Part,
    /// An answer, or its end.
    Answer,
}

impl Base {
    /// `None`: it does not ship.
    pub(super) fn of(name: &'static str) -> Option<Self> {
        // The contract as it is would be no table at all: a header makes it one.
        let text = format!(
            "[load]\nclients = 1\nhold = \"1s\"\n[target]\nprotocol = \"{name}\"\nheaders = {{ X-Import = \"1\" }}\n"
        );
        let (file, _) = scenario::read("import.toml", &text, &Overrides::default());
        let shipped: toml::Table = protocol::text(name)?.parse().ok()?;
        let toml::Value::Table(keys) = shipped.get("target")?.clone() else {
            return None;
        };
        Some(Self {
            name,
            keys,
            dialect: file.dialect?,
        })
    }

    pub(super) fn meaning(&self, frame: &Said) -> Meaning {
        let seen = Seen::new(&frame.text);
        let is_answered = |reply: &FrameMatch| seen.matched(&self.dialect, reply).is_some();
        if self
            .dialect
            .reply
            .iter()
            .any(|reply| is_answered(&reply.when))
        {
            return Meaning::Aside;
        }
        match read_seen(&self.dialect, seen) {
            Ok(ServerFrame::Pong) => Meaning::Pong,
            Ok(ServerFrame::Error(_)) => Meaning::Error,
            Ok(ServerFrame::Answer { .. } | ServerFrame::Complete { .. }) => Meaning::Answer,
            Ok(
                ServerFrame::TaskQueued { .. }
                | ServerFrame::ProcessingStarted { .. }
                | ServerFrame::Chunk { .. },
            ) => Meaning::Part,
            Ok(
                ServerFrame::Connected
                | ServerFrame::TokenExpiringSoon
                | ServerFrame::Message { .. }
                | ServerFrame::Ignored,
            ) => Meaning::Aside,
            Err(_) => Meaning::Unknown,
        }
    }

    /// The id of a message that a frame of the server names.
    pub(super) fn id(&self, frame: &Said) -> Option<String> {
        let id = match read_seen(&self.dialect, Seen::new(&frame.text)).ok()? {
            ServerFrame::Answer { id } => id,
            ServerFrame::TaskQueued {
                client_message_id, ..
            } => client_message_id,
            _ => None,
        };
        id.map(Cow::into_owned)
    }

    /// Whether a client says what the protocol has it say by itself: a heartbeat, or an answer to a ping.
    pub(super) fn says(&self, frame: &Said) -> bool {
        let send = &self.dialect.send;
        let replies = self
            .dialect
            .reply
            .iter()
            .filter_map(|reply| reply.send.as_ref());
        let mut says = send.heartbeat.iter().chain(replies);
        says.any(|template| is_alike(template, frame))
    }

    /// What the protocol waits for after it said that.
    pub(super) fn awaits(&self, frame: &Said) -> Option<(&FrameMatch, toml::Value)> {
        let mut steps = self.dialect.open.iter().enumerate();
        let (index, step) =
            steps.find(|(_, step)| step.send.as_ref().is_some_and(|send| is_alike(send, frame)))?;
        let written = self.keys.get("open")?.get(index)?.get("await")?;
        Some((step.awaited.as_ref()?, written.clone()))
    }

    pub(super) fn is_met(&self, awaited: &FrameMatch, frame: &Said) -> bool {
        Seen::new(&frame.text)
            .matched(&self.dialect, awaited)
            .is_some()
    }
}

/// Whether a frame is what a template makes: the same names at the same places, the same keys.
fn is_alike(template: &str, frame: &Said) -> bool {
    if let Some((first, _)) = template.split_once('\n') {
        return frame.text.lines().next() == Some(first);
    }
    let Some(head) = leaf::head(template) else {
        // `40` is the beginning of `40{…}`, and `3` is no beginning of `3probe`.
        let head = frame.head.unwrap_or(frame.text.len());
        return frame.text[..head] == *template;
    };
    let is_headed = frame
        .head
        .is_some_and(|own| frame.text[..own] == template[..head]);
    let wanted = leaf::leaves(template);
    if wanted.is_empty() {
        return frame.text == template;
    }
    let same = |wanted: &leaf::Leaf| {
        let found = frame.leaf(&wanted.path);
        let is_filled = wanted.value.contains('{') || !is_name(wanted);
        is_filled || found.is_some_and(|found| found.value == wanted.value)
    };
    let top = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let has = |wanted: &leaf::Leaf| {
        frame
            .leaves
            .iter()
            .any(|own| top(&own.path) == top(&wanted.path))
    };
    let is_list = template[head..].starts_with('[');
    is_headed
        && wanted
            .iter()
            .all(|wanted| same(wanted) && (is_list || has(wanted)))
}
