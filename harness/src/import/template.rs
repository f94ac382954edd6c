//! This module turns what a client said into a template: values that are known get the name of their place.
//!
//! **In:** a frame, and what is known by then. **Out:** its text with `{places}`.

use super::leaf::{Kind, in_quotes};
use super::says::{Id, Messages};
use super::talk::Said;

/// Shortest value of a server that is taken to be repeated on purpose.
const CAPTURED_BYTES_MIN: usize = 6;
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
    /// Finds what clients repeat of the frames before the one at `ready`.
    pub(super) fn find_captures(&mut self, frames: &[Said], ready: usize) {
        for (at, frame) in frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.is_client)
        {
            for leaf in frame.leaves.iter().filter(|leaf| leaf.kind == Kind::Text) {
                let is_known = self
                    .own
                    .iter()
                    .any(|(value, _)| leaf.value.contains(value.as_str()))
                    || self
                        .captured
                        .iter()
                        .any(|capture| capture.value == leaf.value);
                if leaf.value.len() < CAPTURED_BYTES_MIN || is_known {
                    continue;
                }
                let mut before = frames[..at].iter().enumerate();
                let first = before.find(|(_, frame)| frame.holding(&leaf.value).next().is_some());
                let Some((source, heard)) =
                    first.filter(|(source, heard)| !heard.is_client && *source < ready)
                else {
                    continue;
                };
                let mut places = heard.holding(&leaf.value);
                let place = places.find(|place| !place.is_nested && !super::shape::is_name(place));
                if let Some(place) = place {
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
                Some((heads, _)) => self.replaced(&without_length(heads)) + "\n\n" + text,
                None => text.to_owned(),
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
            return self.replaced(&frame.text);
        }
        let mut filled = frame.text.clone();
        for leaf in frame.leaves.iter().rev() {
            let holds = frame
                .leaves
                .iter()
                .any(|inner| inner.is_nested && inner.path.starts_with(&format!("{}.", leaf.path)));
            if holds {
                continue;
            }
            let place = places.iter().find(|(path, _)| *path == leaf.path);
            let written = match place {
                Some((_, place)) => (*place).to_owned(),
                None if leaf.kind == Kind::Text => self.replaced(&frame.text[leaf.span.clone()]),
                None => continue,
            };
            filled.replace_range(leaf.span.clone(), &written);
        }
        match filled.split_once("\n\n") {
            Some((heads, body)) if frame.text.find("\n\n") < frame.head => {
                self.replaced(&without_length(heads)) + "\n\n" + body
            }
            _ => filled,
        }
    }

    /// A text with its known values replaced.
    pub(super) fn replaced(&self, text: &str) -> String {
        let own = self
            .own
            .iter()
            .map(|(value, place)| (value.as_str(), *place));
        let captured = self
            .captured
            .iter()
            .map(|capture| (capture.value.as_str(), capture.name.as_str()));
        own.chain(captured)
            .fold(text.to_owned(), |text, (value, place)| {
                text.replace(&in_quotes(value), &format!("{{{place}}}"))
            })
    }
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
        known.find_captures(&frames, 1);
        assert_eq!(known.captured[0].name, "sid");
        assert_eq!(
            known.message(&frames[1], &messages, false),
            r#"{"command":"message","sid":"{sid}","data":"{\"action\":\"speak\",\"text\":\"{text}\"}"}"#
        );
    }
}
