//! This module is the frames on the socket (wire contract, section 3).
//!
//! **In:** text frames of a server. **Out:** [`ServerFrame`], or why it is none; and the text
//! frames a client sends. Held to the fixtures in `contract/`.
//!
//! A frame borrows from the text it was read from; ids are kept by hash, as a client holds
//! thousands of them and only ever compares.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::json;

/// A frame from the server, as far as a client acts on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ServerFrame<'a> {
    Connected,
    TaskQueued {
        task: TaskId,
        client_message_id: Option<Cow<'a, str>>,
    },
    ProcessingStarted {
        task: TaskId,
    },
    Chunk {
        task: TaskId,
        seq: u32,
    },
    Complete {
        task: TaskId,
        chunks: u32,
    },
    /// The whole answer in one frame; of other servers only.
    Answer {
        id: Option<Cow<'a, str>>,
    },
    /// Means nothing to a client; of other servers only.
    Ignored,
    /// A message on a people chat.
    Message {
        id: Cow<'a, str>,
        client_message_id: Option<Cow<'a, str>>,
    },
    Pong,
    TokenExpiringSoon,
    Error(ErrorFrame<'a>),
}

/// An `error` event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ErrorFrame<'a> {
    pub code: Cow<'a, str>,
    /// What it says to people.
    pub text: Option<Cow<'a, str>>,
    pub retry_after_us: Option<u64>,
    pub client_message_id: Option<Cow<'a, str>>,
    pub task: Option<TaskId>,
}

impl ErrorFrame<'_> {
    /// It says that the server is away or busy, and nothing about the frame.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(&*self.code, "unavailable" | "busy" | "rate_limited")
    }
}

/// A task id, by hash; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(pub u64);

/// Why a frame cannot be acted on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("it is no JSON object with the fields of an event: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("the event \"{name}\" is not known")]
    UnknownEvent { name: String },
    #[error("the event lacks a field it must have: {field}")]
    MissingField { field: String },
    #[error("a binary message of {bytes} bytes that is not what `encoding` of [target] says")]
    Binary { bytes: usize },
    #[error("more than {limit} frames in one message; those behind them are not read")]
    TooMany { limit: usize },
}

/// Longest wait that is told apart, a year: who is asked to wait longer does not come back either.
const WAIT_MAX_S: f64 = 31_536_000.0;
/// Every field any event has; which of them must be there, the event decides.
#[derive(serde::Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    task_id: Option<Text<'a>>,
    #[serde(borrow)]
    client_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    seq: Option<u32>,
    chunks: Option<u32>,
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    retry_after: Option<f64>,
}

impl<'a> ServerFrame<'a> {
    /// Reads a text frame.
    pub(crate) fn parse(text: &'a str) -> Result<Self, FrameError> {
        let raw: Raw<'a> = serde_json::from_str(text)?;
        let task = raw.task_id.as_ref().map(|id| TaskId::of(&id.0));
        let must = |field: &str| FrameError::MissingField {
            field: field.to_owned(),
        };
        let must_task = || task.ok_or_else(|| must("task_id"));
        Ok(match &*raw.event.0 {
            "connected" => Self::Connected,
            "task_queued" => Self::TaskQueued {
                task: must_task()?,
                client_message_id: raw.client_message_id.map(|id| id.0),
            },
            "processing_started" => Self::ProcessingStarted { task: must_task()? },
            "chunk" => Self::Chunk {
                task: must_task()?,
                seq: raw.seq.ok_or_else(|| must("seq"))?,
            },
            "complete" => Self::Complete {
                task: must_task()?,
                chunks: raw.chunks.ok_or_else(|| must("chunks"))?,
            },
            "message" => Self::Message {
                id: raw.message_id.ok_or_else(|| must("message_id"))?.0,
                client_message_id: raw.client_message_id.map(|id| id.0),
            },
            "pong" => Self::Pong,
            "token_expiring_soon" => Self::TokenExpiringSoon,
            "error" => Self::Error(ErrorFrame {
                code: raw.code.ok_or_else(|| must("code"))?.0,
                text: raw.error.map(|text| text.0),
                retry_after_us: raw.retry_after.and_then(wait_us),
                client_message_id: raw.client_message_id.map(|id| id.0),
                task,
            }),
            name => {
                return Err(FrameError::UnknownEvent {
                    name: name.to_owned(),
                });
            }
        })
    }
}

/// Place of a chunk, or number of chunks, that the server does not tell: the next one, as many as came.
pub(crate) const UNNUMBERED: u32 = u32::MAX;

impl TaskId {
    /// What a server does not name.
    pub(crate) const UNNAMED: Self = Self(0);

    /// Of the id as it stands on the wire.
    pub(crate) fn of(id: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(id.as_bytes());
        Self(hasher.finish().max(1))
    }
}

/// How long a server asks to wait, from seconds to microseconds; `None` for what is no time to wait.
pub(crate) fn wait_us(seconds: f64) -> Option<u64> {
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a year"
    )]
    let us = (seconds.min(WAIT_MAX_S) * 1e6) as u64;
    Some(us)
}

/// The heartbeat.
pub(crate) const PING: &str = r#"{"type":"ping"}"#;

/// A text of `length` characters that is the same within a JSON string.
pub(crate) fn filler(length: u32) -> String {
    const FILLER: &str = "How do I get back to where I was before the line went quiet? ";
    let length = length as usize;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let part = FILLER.len().min(length - text.len());
        text.push_str(&FILLER[..part]);
    }
    text
}

/// A chat message of `length` characters.
pub(crate) fn chat_message(length: u32, client_message_id: &str) -> String {
    chat_frame(&filler(length), client_message_id)
}

/// A chat message; `text` as it stands within a JSON string.
pub(crate) fn chat_frame(text: &str, client_message_id: &str) -> String {
    let mut frame = String::with_capacity(text.len() + client_message_id.len() + 40);
    frame.push_str(r#"{"message":""#);
    frame.push_str(text);
    frame.push_str(r#"","client_message_id":""#);
    frame.push_str(client_message_id);
    frame.push_str(r#""}"#);
    frame
}

/// A message on a people chat.
pub(crate) fn people_message(text: &str, client_message_id: &str) -> String {
    json!({ "type": "message", "text": text, "client_message_id": client_message_id }).to_string()
}

/// Asks for what came after that message.
pub(crate) fn resume(after: &str) -> String {
    json!({ "type": "resume", "after": after }).to_string()
}

/// A string that borrows where the JSON holds no escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixtures(file: &str) -> Vec<serde_json::Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../contract/frames/");
        let text = std::fs::read_to_string(format!("{path}{file}")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_client_agrees_with_every_server_fixture() {
        for entry in fixtures("server.json") {
            let text = match entry.get("raw") {
                Some(raw) => raw.as_str().unwrap().to_owned(),
                None => entry["frame"].to_string(),
            };
            let parsed = ServerFrame::parse(&text);
            assert_eq!(
                entry["valid"].as_bool(),
                Some(parsed.is_ok()),
                "{}",
                entry["name"]
            );
        }
    }

    #[test]
    fn what_a_client_sends_has_the_shape_of_the_fixtures() {
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let sent = [
            ("chat message with id", chat_message(5, "c-1")),
            ("heartbeat", PING.to_owned()),
            ("people message", people_message("x", "c-1")),
            ("resume", resume("5")),
        ];
        for (name, sent) in sent {
            let all = fixtures("client.json");
            let entry = all.iter().find(|entry| entry["name"] == name).unwrap();
            let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
            assert_eq!(keys(&sent), keys(&entry["frame"]), "{name}");
        }
    }

    #[test]
    fn ids_with_escapes_are_the_same_ids() {
        let plain = ServerFrame::parse(r#"{"event":"processing_started","task_id":"a/b"}"#);
        let escaped = ServerFrame::parse(r#"{"event":"processing_started","task_id":"a\/b"}"#);
        assert_eq!(plain.unwrap(), escaped.unwrap());
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let text = r#"{"event":"error","error":"x","code":"unavailable","retry_after":0.25,"client_message_id":"c-9"}"#;
        let ServerFrame::Error(error) = ServerFrame::parse(text).unwrap() else {
            panic!("an error frame");
        };
        assert_eq!(
            (&*error.code, error.retry_after_us),
            ("unavailable", Some(250_000))
        );
        assert_eq!(wait_us(-1.0), None);
        assert_eq!(wait_us(f64::NAN), None);
        assert_eq!(wait_us(900.0), Some(900_000_000));
    }

    proptest! {
        #[test]
        fn a_message_is_as_long_as_asked_and_is_json(length in 1_u32..3_000) {
            let frame = chat_message(length, "tag-1-2");
            let value: serde_json::Value = serde_json::from_str(&frame).unwrap();
            prop_assert_eq!(value["message"].as_str().unwrap().chars().count(), length as usize);
            prop_assert_eq!(&value["client_message_id"], "tag-1-2");
        }

        #[test]
        fn no_text_from_a_server_is_a_crash(text in "\\PC{0,80}") {
            drop(ServerFrame::parse(&text));
        }
    }
}
