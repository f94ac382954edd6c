//! The JSON inside the text frames, both directions.
//!
//! **In:** a client's text, or what the server has to say. **Out:** [`ClientFrame`] or [`Frame`].
//! Held to the fixtures in `contract/frames/`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Frame;
use crate::route::Kind;
use crate::store::StreamId;

/// Characters of a `client_message_id`.
const ID_CHARACTERS: usize = 128;

/// Reads an object of JSON. serde alone would also take an array, for the fields in their order.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Option<T> {
    let is_object = text.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(text).ok())?
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientFrame {
    /// A chat message.
    Message {
        /// Its text.
        text: Box<str>,
        /// The client's id for it.
        client_message_id: Option<Box<str>>,
    },
    /// A heartbeat.
    Ping,
    /// Replay what came after.
    Resume(StreamId),
}

/// Why a frame is refused. The socket stays open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More characters than allowed.
    TooLong {
        /// The bound.
        limit: usize,
        /// The message's own id.
        client_message_id: Option<Box<str>>,
    },
    /// Nothing but white space.
    Empty {
        /// The message's own id.
        client_message_id: Option<Box<str>>,
    },
    /// No known shape.
    BadFrame,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_message_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    after: Option<Cow<'a, str>>,
}

impl ClientFrame {
    /// Reads a text frame from a socket of that kind; a message may have `max_characters`.
    pub(crate) fn parse(kind: Kind, text: &str, max_characters: usize) -> Result<Self, Refusal> {
        let raw: Raw<'_> = object(text.as_bytes()).ok_or(Refusal::BadFrame)?;
        let message = |text: &str| Self::message(text, raw.client_message_id, max_characters);
        match (kind, raw.kind.as_deref(), raw.message, raw.text) {
            (Kind::Assistant, None, Some(text), _)
            | (Kind::People, Some("message"), None, Some(text)) => message(&text),
            (_, Some("ping"), None, _) => Ok(Self::Ping),
            (_, Some("resume"), None, _) => {
                let after = StreamId::to_follow(raw.after.as_deref().unwrap_or_default());
                after.map(Self::Resume).or(Err(Refusal::BadFrame))
            }
            _ => Err(Refusal::BadFrame),
        }
    }

    fn message(
        text: &str,
        id: Option<Cow<'_, str>>,
        max_characters: usize,
    ) -> Result<Self, Refusal> {
        let client_message_id: Option<Box<str>> = id.map(Into::into);
        if let Some(id) = &client_message_id
            && !(1..=ID_CHARACTERS).contains(&id.chars().count())
        {
            return Err(Refusal::BadFrame);
        }
        if text.trim().is_empty() {
            return Err(Refusal::Empty { client_message_id });
        }
        if text.len() > max_characters && text.chars().count() > max_characters {
            return Err(Refusal::TooLong {
                limit: max_characters,
                client_message_id,
            });
        }
        Ok(Self::Message {
            text: text.into(),
            client_message_id,
        })
    }
}

/// An event, as JSON names it.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// First frame of every accepted socket.
    Connected {
        /// The conversation of the URL.
        conversation_id: &'a str,
    },
    /// The message is acknowledged.
    TaskQueued {
        /// The task's name.
        task_id: &'a str,
        /// The message's id, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_message_id: Option<&'a str>,
    },
    /// A worker has it.
    ProcessingStarted {
        /// The task's name.
        task_id: &'a str,
    },
    /// A part of the answer.
    Chunk {
        /// The task's name.
        task_id: &'a str,
        /// From 0, without gaps.
        seq: u32,
        /// The text.
        chunk: &'a str,
    },
    /// The answer is over.
    Complete {
        /// The task's name.
        task_id: &'a str,
        /// What `resume` takes; filled in on delivery, when the entry's id is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<&'a str>,
        /// How many there were.
        chunks: u32,
    },
    /// Somebody said something on a people chat; `message_id` is filled in on delivery.
    Message {
        /// The chat.
        chat_id: &'a str,
        /// Who.
        user_id: u64,
        /// What.
        text: &'a str,
        /// The message's id, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_message_id: Option<&'a str>,
    },
    /// Answer to a heartbeat.
    Pong,
    /// The access token behind the socket ends soon.
    TokenExpiringSoon {
        /// When, in RFC 3339.
        expires_at: &'a str,
    },
    /// A refusal, or bad news.
    Error {
        /// For people.
        error: &'a str,
        /// For programs.
        code: &'a str,
        /// Seconds after which trying again makes sense.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<f64>,
        /// The refused message's id, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_message_id: Option<&'a str>,
        /// The task it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        task_id: Option<&'a str>,
    },
}

impl Event<'_> {
    /// The JSON text.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("events are plain data")
    }

    /// Ready to be written.
    pub(crate) fn frame(&self) -> Frame {
        Frame::text(&self.json())
    }
}

/// A refusal of a message, ready to be written.
pub(crate) fn refusal(
    code: &str,
    error: &str,
    retry_after: Option<f64>,
    id: Option<&str>,
) -> Frame {
    Event::Error {
        error,
        code,
        retry_after,
        client_message_id: id,
        task_id: None,
    }
    .frame()
}

impl Refusal {
    /// The `error` event that says so.
    pub(crate) fn frame(&self) -> Frame {
        match self {
            Self::TooLong {
                limit,
                client_message_id,
            } => {
                let error = format!("a message has at most {limit} characters");
                refusal("too_long", &error, None, client_message_id.as_deref())
            }
            Self::Empty { client_message_id } => refusal(
                "empty",
                "the message is empty",
                None,
                client_message_id.as_deref(),
            ),
            Self::BadFrame => refusal("bad_frame", "not a frame this route knows", None, None),
        }
    }
}

/// What is said of an acknowledged task that cannot be answered any more, ready to be written.
pub(crate) fn lost(task: u64) -> Frame {
    Event::Error {
        error: "the answer cannot be recovered",
        code: "lost",
        retry_after: None,
        client_message_id: None,
        task_id: Some(&task_id(task)),
    }
    .frame()
}

/// A task's number as clients see it.
pub(crate) fn task_id(task: u64) -> String {
    format!("{task:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn fixtures(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    fn text_of(fixture: &Value) -> String {
        match fixture.get("raw") {
            Some(raw) => raw.as_str().unwrap().to_owned(),
            None => fixture["frame"].to_string(),
        }
    }

    #[test]
    fn client_frames_are_taken_and_refused_as_the_contract_says() {
        let all = fixtures(include_str!("../../../contract/frames/client.json"));
        let kinds = [
            ("chat", Kind::Assistant),
            ("chats", Kind::People),
            ("admin", Kind::Admin),
        ];
        let on = |fixture: &Value, route: &str| {
            [route, "any"].contains(&fixture["route"].as_str().unwrap())
        };
        let cases = kinds.iter().flat_map(|(route, kind)| {
            let mine = all.iter().filter(move |fixture| on(fixture, route));
            mine.map(move |fixture| (*kind, fixture))
        });
        for (kind, fixture) in cases {
            let outcome = match ClientFrame::parse(kind, &text_of(fixture), 10_000) {
                Ok(_) => None,
                Err(refusal) => {
                    let frame = refusal.frame();
                    let at = frame.bytes().iter().position(|byte| *byte == b'{').unwrap();
                    let event: Value = serde_json::from_slice(&frame.bytes()[at..]).unwrap();
                    Some(event["code"].as_str().unwrap().to_owned())
                }
            };
            let expected = fixture
                .get("code")
                .map(|code| code.as_str().unwrap().to_owned());
            assert_eq!(
                fixture["valid"].as_bool().unwrap(),
                outcome.is_none(),
                "{fixture}"
            );
            assert_eq!(outcome, expected, "{fixture}");
        }
    }

    #[test]
    fn server_events_are_those_of_the_contract() {
        let task_id = "00f3a1b2c4d5e6f7";
        let (id, entry) = (Some("c-1"), "1763712000000-3");
        let error = |code, error, retry_after, client_message_id, task_id| Event::Error {
            error,
            code,
            retry_after,
            client_message_id,
            task_id,
        };
        #[rustfmt::skip]
        let made = [
            ("connected", Event::Connected { conversation_id: "conv-1" }),
            ("task queued", Event::TaskQueued { task_id, client_message_id: id }),
            ("task queued without id", Event::TaskQueued { task_id, client_message_id: None }),
            ("processing started", Event::ProcessingStarted { task_id }),
            ("first chunk", Event::Chunk { task_id, seq: 0, chunk: "You wrote " }),
            ("complete", Event::Complete { task_id, message_id: Some(entry), chunks: 3 }),
            ("pong", Event::Pong),
            ("token expiring soon", Event::TokenExpiringSoon { expires_at: "2026-11-21T08:00:00Z" }),
            ("error: rate limited", error("rate_limited", "too many messages", Some(0.1), Some("c-9"), None)),
            ("error: lost", error("lost", "the answer cannot be recovered", None, None, Some(task_id))),
        ];
        let all = fixtures(include_str!("../../../contract/frames/server.json"));
        for (name, event) in made {
            let fixture = all.iter().find(|fixture| fixture["name"] == name).unwrap();
            let json: Value = serde_json::from_str(&event.json()).unwrap();
            assert_eq!(json, fixture["frame"], "{name}");
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        let frame = |text: &str| serde_json::json!({ "message": text }).to_string();
        assert!(ClientFrame::parse(Kind::Assistant, &frame(&"🙂".repeat(10)), 10).is_ok());
        let refused = ClientFrame::parse(Kind::Assistant, &frame(&"🙂".repeat(11)), 10);
        assert_eq!(
            refused,
            Err(Refusal::TooLong {
                limit: 10,
                client_message_id: None
            })
        );
    }
}
