//! This module turns what a client said into a template: values that are known get the name of their place.
//!
//! **In:** a frame, and what is known by then. **Out:** its text with `{places}`.

use std::collections::BTreeMap;

use super::leaf::{Kind, Leaf, in_quotes};
use super::says::{Id, Messages};
use super::secret::{REMOVED, bare, is_secret};
use super::shape::is_name;
use super::talk::Said;
use crate::plan::places;

/// Shortest value of a server that is taken to be repeated on purpose.
const CAPTURED_BYTES_MIN: usize = 6;
/// Shortest known value that is looked for within others.
const WITHIN_BYTES_MIN: usize = 8;
/// Paths that mean something else to a scenario.
const WORDS: [&str; 4] = ["body", "none", "begins_with", "contains"];
/// Names that places have already.
const TAKEN: [&str; 7] = [
    "text",
    "id",
    "credential",
    "account",
    "client",
    "group",
    "conversation",
];
const NAME_CHARS_MAX: usize = 24;
/// Most values that are taken: as many as all steps of a scenario may take.
const CAPTURES_MAX: usize = 256;

/// Values, and the places that stand for them.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Of the client itself.
    pub(super) own: Vec<(String, &'static str)>,
    /// Of frames of the server.
    pub(super) captured: Vec<Capture>,
}

/// A value of a frame of the server that the client says again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) value: String,
    pub(super) name: String,
    /// The frame, and where in it.
    pub(super) at: usize,
    pub(super) path: String,
}

impl Known {
    /// Finds what clients repeat of the frames before the one at `ready`: in what is said before it, and in it.
    pub(super) fn find_captures(&mut self, frames: &[Said], (ready, beat): (usize, Option<usize>)) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, frame) in frames[..ready].iter().enumerate() {
            for leaf in &frame.leaves {
                first.entry(&leaf.value).or_insert(at);
            }
        }
        let said = (0..=ready).chain(beat);
        for at in said.filter(|at| frames[*at].is_client) {
            let leaves = frames[at].leaves.iter();
            for leaf in leaves.filter(|leaf| leaf.kind == Kind::Text) {
                let is_known = self
                    .own
                    .iter()
                    .any(|(value, _)| leaf.value.contains(value.as_str()))
                    || self
                        .captured
                        .iter()
                        .any(|capture| capture.value == leaf.value);
                let source = first.get(leaf.value.as_str()).copied();
                let source = source.filter(|source| *source < at && !frames[*source].is_client);
                let Some(source) =
                    source.filter(|_| leaf.value.len() >= CAPTURED_BYTES_MIN && !is_known)
                else {
                    continue;
                };
                let mut places = frames[source].holding(&leaf.value);
                let is_free = |place: &&Leaf| {
                    !place.is_nested && !is_name(place) && !WORDS.contains(&place.path.as_str())
                };
                if self.captured.len() < CAPTURES_MAX
                    && let Some(place) = places.find(is_free)
                {
                    let name = self.free_name(place.key());
                    self.captured.push(Capture {
                        value: leaf.value.clone(),
                        name,
                        at: source,
                        path: place.path.clone(),
                    });
                }
            }
        }
    }

    fn free_name(&self, key: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        };
        let name: String = key.chars().map(plain).take(NAME_CHARS_MAX - 3).collect();
        let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name
        } else {
            format!("v_{name}")
        };
        let is_free = |name: &String| {
            !TAKEN.contains(&name.as_str())
                && !self.captured.iter().any(|capture| capture.name == *name)
        };
        let mut names =
            std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}_{number}")));
        names.find(is_free).unwrap_or(name)
    }

    /// The frame with its known values replaced.
    pub(super) fn template(&self, frame: &Said) -> String {
        self.fill(frame, &[])
    }

    /// The same of a message, with the places of text and ids.
    pub(super) fn message(&self, frame: &Said, messages: &Messages, is_marked: bool) -> String {
        let text = if is_marked { "{id} {text}" } else { "{text}" };
        let Some(path) = &messages.text else {
            return match frame.text.split_once("\n\n") {
                // What follows the heads of a frame of STOMP.
                Some((heads, _)) => self.heads(&without_length(heads)) + "\n\n" + text,
                // What a command says is behind its colon.
                None => match frame.text.split_once(" :") {
                    Some((command, _)) if command.starts_with(|c: char| c.is_ascii_uppercase()) => {
                        without_places(command) + " :" + text
                    }
                    _ => text.to_owned(),
                },
            };
        };
        let mut places: Vec<(&str, &str)> = vec![(path, text)];
        let ids = messages
            .id
            .iter()
            .map(|Id { path, .. }| path)
            .chain(&messages.fresh);
        places.extend(ids.map(|path| (path.as_str(), "{id}")));
        self.fill(frame, &places)
    }

    fn fill(&self, frame: &Said, places: &[(&str, &str)]) -> String {
        if frame.head.is_none() {
            return self.heads(&frame.text);
        }
        let mut filled = frame.text.clone();
        for leaf in frame.leaves.iter().rev() {
            let within = format!("{}.", leaf.path);
            let mut nested = frame.leaves.iter().filter(|inner| inner.is_nested);
            if nested.any(|inner| inner.path.starts_with(&within)) {
                continue;
            }
            let place = places.iter().find(|(path, _)| *path == leaf.path);
            let written = match place {
                Some((_, place)) => (*place).to_owned(),
                None => match self.value(leaf) {
                    Some(value) => value,
                    None => without_places(&frame.text[leaf.span.clone()]),
                },
            };
            filled.replace_range(leaf.span.clone(), &written);
        }
        match filled.split_once("\n\n") {
            Some((heads, body)) if frame.text.find("\n\n") < frame.head => {
                self.heads(&without_length(heads)) + "\n\n" + body
            }
            _ => filled,
        }
    }

    /// What is written for a value that is known, or secret; `None`: it stays.
    fn value(&self, leaf: &Leaf) -> Option<String> {
        let own = self
            .own
            .iter()
            .map(|(value, place)| (value.as_str(), *place));
        let captured = self.captured.iter();
        let captured = captured.map(|capture| (capture.value.as_str(), capture.name.as_str()));
        let mut known = own.chain(captured);
        let is_whole =
            |(value, _): &(&str, &str)| *value == leaf.value || *value == bare(&leaf.value);
        let found = known.clone().find(is_whole);
        let within = || {
            known.find(|(value, _)| {
                value.len() >= WITHIN_BYTES_MIN && leaf.value.contains(value) && !is_name(leaf)
            })
        };
        let (value, place) = match found.or_else(within) {
            Some(known) => known,
            None if is_secret(leaf.key(), &leaf.value) => return Some(REMOVED.to_owned()),
            None => return None,
        };
        if is_name(leaf) && leaf.value == value && value.len() < CAPTURED_BYTES_MIN {
            return None;
        }
        let (before, after) = leaf.value.split_once(value)?;
        let quoted = |text: &str| {
            let once = in_quotes(&without_places(text));
            if leaf.is_nested {
                in_quotes(&once)
            } else {
                once
            }
        };
        Some(format!("{}{{{place}}}{}", quoted(before), quoted(after)))
    }

    /// Text that is no JSON: the values of heads are looked at one by one.
    fn heads(&self, text: &str) -> String {
        let line = |line: &str| {
            let Some((name, value)) = line.split_once(':') else {
                return without_places(line);
            };
            let is_secret_head = is_secret(name, value);
            let own = self.own.iter();
            let own = own.filter(|(known, _)| known == value || known == bare(value));
            // An account and its password may be the same word.
            let mut own: Vec<&(String, &str)> = own.collect();
            own.sort_by_key(|(_, place)| (*place == "credential") != is_secret_head);
            let own = own.first();
            match own {
                Some((known, place)) => format!(
                    "{name}:{}",
                    value.replace(known.as_str(), &format!("{{{place}}}"))
                ),
                None if is_secret_head => format!("{name}:{REMOVED}"),
                None => without_places(line),
            }
        };
        text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Words in braces that a scenario would take for places, with blanks in them.
fn without_places(text: &str) -> String {
    let (mut left, mut rest) = (String::new(), text);
    for place in places(text) {
        if let Some((before, after)) = rest.split_once(&format!("{{{place}}}")) {
            left.extend([before, "{ ", place, " }"]);
            rest = after;
        }
    }
    left + rest
}

/// Heads of STOMP without the length of a body that changes.
fn without_length(heads: &str) -> String {
    let lines = heads
        .lines()
        .filter(|line| !line.starts_with("content-length:"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::says::messages;

    fn said(is_client: bool, text: &str) -> Said {
        Said::new(is_client, 0.0, text)
    }

    #[test]
    fn a_message_gets_its_places_also_within_json_in_a_text() {
        let frames = [
            said(false, r#"{"type":"welcome","sid":"s-123456"}"#),
            said(
                true,
                r#"{"command":"message","sid":"s-123456","data":"{\"action\":\"speak\",\"text\":\"a \\\"b\\\" c\"}"}"#,
            ),
            said(false, r#"{"message":{"text":"a \"b\" c"}}"#),
        ];
        let messages = messages(&frames, |_, _| true, None).unwrap();
        assert_eq!(messages.text.as_deref(), Some("data.text"));
        let mut known = Known::default();
        known.find_captures(&frames, (1, None));
        assert_eq!(known.captured[0].name, "sid");
        assert_eq!(
            known.message(&frames[1], &messages, false),
            r#"{"command":"message","sid":"{sid}","data":"{\"action\":\"speak\",\"text\":\"{text}\"}"}"#
        );
    }
}
