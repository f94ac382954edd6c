//! This module speaks the wire of any other server, as a `[target]` table maps it.
//!
//! **In:** a [`Dialect`], or none for the contract; texts of a server. **Out:** [`ServerFrame`]s, and the texts a
//! client sends. What a server leaves unnamed (task, place of a chunk) stays unnamed here.

use std::borrow::Cow;

use serde_json::Value;

use super::wire::{
    ErrorFrame, FrameError, PING, ServerFrame, TaskId, UNNUMBERED, chat_frame, wait_us,
};
use crate::account::{found, percent_encoded};
use crate::plan::Dialect;

/// What fills the places of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub conversation: &'a str,
    /// Counts from 0.
    pub client: u32,
    pub account: &'a str,
    /// The client's group, from 0.
    pub group: u32,
}

/// Where a socket is opened: the template with its places filled, percent-encoded. What is filled in is one part of
/// a path or of a query, whatever stands in it.
pub(crate) fn path(template: &str, places: Places<'_>) -> String {
    fill(template, |place, _, path| {
        let value = places.value(place)?;
        path.push_str(&percent_encoded(&value));
        Some(())
    })
}

/// A chat message.
pub(crate) fn message(
    dialect: Option<&Dialect>,
    text: &str,
    id: &str,
    places: Places<'_>,
) -> String {
    let Some(dialect) = dialect else {
        return chat_frame(&json_escaped(Cow::Borrowed(text)), id);
    };
    fill(&dialect.send.message, |place, depth, message| {
        let value = match place {
            "text" => Cow::Borrowed(text),
            "id" => Cow::Borrowed(id),
            place => places.value(place)?,
        };
        message.push_str(&(0..depth).fold(value, |value, _| json_escaped(value)));
        Some(())
    })
}

impl Places<'_> {
    fn value(&self, place: &str) -> Option<Cow<'_, str>> {
        Some(match place {
            "conversation" => Cow::Borrowed(self.conversation),
            "client" => Cow::Owned(self.client.to_string()),
            "group" => Cow::Owned(self.group.to_string()),
            "account" => Cow::Borrowed(self.account),
            _ => return None,
        })
    }
}

/// Longest name of a place.
const PLACE_CHARS_MAX: usize = 12;

/// Copies a template and has `put` write what belongs into each place, in one pass: braces in what is written
/// are no places. `put` hears the name and how many JSON strings the place stands in; `None`: it is no place.
fn fill(template: &str, mut put: impl FnMut(&str, usize, &mut String) -> Option<()>) -> String {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut quotes = Quotes::default();
    let mut rest = template;
    while let Some(next) = rest.chars().next() {
        if let Some(place) = place(rest)
            && put(place, quotes.depth(), &mut filled).is_some()
        {
            rest = &rest[place.len() + 2..];
            quotes.see('.');
            continue;
        }
        filled.push(next);
        quotes.see(next);
        rest = &rest[next.len_utf8()..];
    }
    filled
}

/// The name in `{name}` at the beginning of a text.
fn place(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let end = inner
        .bytes()
        .take(PLACE_CHARS_MAX + 1)
        .position(|byte| byte == b'}')?;
    inner.get(..end)
}

/// Where in a JSON text one is: outside of strings, in one, or in one within a string that holds JSON itself.
#[derive(Default)]
struct Quotes {
    in_string: bool,
    in_inner: bool,
    /// The outer string begins as JSON does; `None`: nothing of it was seen yet.
    holds_json: Option<bool>,
    backslashes: usize,
}

impl Quotes {
    fn depth(&self) -> usize {
        usize::from(self.in_string) + usize::from(self.in_inner)
    }

    fn see(&mut self, letter: char) {
        let escapes = std::mem::take(&mut self.backslashes);
        match letter {
            '\\' => self.backslashes = escapes + 1,
            '"' if escapes.is_multiple_of(2) => {
                *self = Self {
                    in_string: !self.in_string,
                    ..Self::default()
                };
                return;
            }
            // An inner string's own quotes are escaped twice.
            '"' if escapes == 1 && self.holds_json == Some(true) => self.in_inner = !self.in_inner,
            _ => {}
        }
        if self.in_string {
            self.holds_json.get_or_insert(matches!(letter, '{' | '['));
        }
    }
}

/// As it stands within a JSON string.
fn json_escaped(text: Cow<'_, str>) -> Cow<'_, str> {
    let special = |byte: u8| matches!(byte, b'"' | b'\\') || byte < b' ';
    if !text.bytes().any(special) {
        return text;
    }
    let quoted = Value::from(text.as_ref()).to_string();
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

/// The heartbeat of a client, where it has one.
pub(crate) fn heartbeat(dialect: Option<&Dialect>) -> Option<&str> {
    match dialect {
        Some(dialect) => dialect.send.heartbeat.as_deref(),
        None => Some(PING),
    }
}

/// Whether a heartbeat is answered.
pub(crate) fn has_pong(dialect: Option<&Dialect>) -> bool {
    dialect.is_none_or(|dialect| dialect.events.pong.is_some())
}

/// Whether a socket is ready when the upgrade is done.
pub(crate) fn is_ready_at_once(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| dialect.events.connected.is_none())
}

/// Reads a text frame.
pub(crate) fn read<'a>(
    dialect: Option<&Dialect>,
    text: &'a str,
) -> Result<ServerFrame<'a>, FrameError> {
    let Some(dialect) = dialect else {
        return ServerFrame::parse(text);
    };
    let events = &dialect.events;
    let Some(field) = &events.field else {
        let frame: Option<Value> = serde_json::from_str(text).ok();
        let id = frame
            .as_ref()
            .and_then(|frame| owned(frame, &dialect.fields.id));
        return Ok(ServerFrame::Answer { id });
    };
    let frame: Value = serde_json::from_str(text)?;
    let name = owned(&frame, field);
    let name = name.ok_or_else(|| FrameError::MissingField {
        field: field.clone(),
    })?;
    let is = |event: &Option<String>| event.as_deref() == Some(&*name);
    let fields = &dialect.fields;
    let id = || owned(&frame, &fields.id);
    let task = owned(&frame, &fields.task).map_or(TaskId::UNNAMED, |task| TaskId::of(&task));
    let number = |field: &str| {
        let number = found(&frame, field).and_then(Value::as_u64);
        number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(UNNUMBERED)
    };
    Ok(if is(&events.connected) {
        ServerFrame::Connected
    } else if is(&events.queued) {
        ServerFrame::TaskQueued {
            task,
            client_message_id: id(),
        }
    } else if is(&events.started) {
        ServerFrame::ProcessingStarted { task }
    } else if is(&events.chunk) {
        ServerFrame::Chunk {
            task,
            seq: number(&fields.seq),
        }
    } else if is(&events.complete) {
        ServerFrame::Complete {
            task,
            chunks: number(&fields.chunks),
        }
    } else if is(&events.answer) {
        ServerFrame::Answer { id: id() }
    } else if is(&events.pong) {
        ServerFrame::Pong
    } else if is(&events.expiring) {
        ServerFrame::TokenExpiringSoon
    } else if is(&events.error) {
        let code = owned(&frame, &fields.code).unwrap_or(Cow::Borrowed("error without a code"));
        let wait = found(&frame, &fields.retry_after).and_then(Value::as_f64);
        let mut texts = TEXT_FIELDS.iter();
        ServerFrame::Error(ErrorFrame {
            code,
            text: texts.find_map(|field| owned(&frame, field)),
            retry_after_us: wait.and_then(wait_us),
            client_message_id: id(),
            task: (task != TaskId::UNNAMED).then_some(task),
        })
    } else if events.ignore.iter().any(|ignored| **ignored == *name) {
        ServerFrame::Ignored
    } else {
        return Err(FrameError::UnknownEvent {
            name: name.into_owned(),
        });
    })
}

/// Whether a message that is no text is an answer: where every message is one.
pub(crate) fn is_any_answer(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| dialect.events.field.is_none())
}

/// Where servers say to people what is wrong.
const TEXT_FIELDS: [&str; 5] = ["message", "error", "detail", "reason", "error.message"];

/// An id: a text or a number.
fn owned(frame: &Value, field: &str) -> Option<Cow<'static, str>> {
    match found(frame, field)? {
        Value::String(text) => Some(Cow::Owned(text.clone())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places<'_> = Places {
        conversation: "c-1",
        client: 23,
        account: "a\"b@c d/ü",
        group: 2,
    };

    fn written(template: &str, text: &str) -> String {
        let mut dialect = crate::account::tests::dialect();
        dialect.send.message = template.to_owned();
        message(Some(&dialect), text, "i-1", PLACES)
    }

    #[test]
    fn a_path_stays_one_whatever_the_account_is_called() {
        assert_eq!(
            path(
                "/ws/{account}/{conversation}?u={account}&n={client}&g={group}&{x}",
                PLACES
            ),
            "/ws/a%22b%40c%20d%2F%C3%BC/c-1?u=a%22b%40c%20d%2F%C3%BC&n=23&g=2&{x}"
        );
    }

    #[test]
    fn a_text_is_escaped_as_often_as_strings_stand_around_it() {
        let text = "a\"b\\\tc";
        assert_eq!(written("{text}", text), text);
        assert_eq!(written("SAY {text}!", text), "SAY a\"b\\\tc!");
        let once = written(r#"42["say",{"text":"{text}","n":{client}}]"#, text);
        let said: Value = serde_json::from_str(&once[2..]).unwrap();
        assert_eq!(said[1]["text"], text);
        assert_eq!(said[1]["n"], 23);
        let twice = written(
            r#"{"to":"\"x\" {account}","data":"{\"id\":\"{id}\",\"text\":\"{text}\",\"n\":{client}}"}"#,
            text,
        );
        let said: Value = serde_json::from_str(&twice).unwrap();
        assert_eq!(said["to"], format!("\"x\" {}", PLACES.account));
        let inner: Value = serde_json::from_str(said["data"].as_str().unwrap()).unwrap();
        assert_eq!(
            inner,
            serde_json::json!({"id": "i-1", "text": text, "n": 23})
        );
    }

    #[test]
    fn braces_in_a_text_are_no_places() {
        let text = "{id} of {client} {account} {text} {";
        assert_eq!(
            written("{text}|{id}|{nothing}|{", text),
            format!("{text}|i-1|{{nothing}}|{{")
        );
    }

    #[test]
    fn the_contracts_message_is_json_whatever_is_said() {
        let text = "\"{id}\" \\ \u{1}\u{2028}";
        let frame = message(None, text, "i-1", PLACES);
        let said: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(said["message"], text);
        assert_eq!(said["client_message_id"], "i-1");
    }
}
