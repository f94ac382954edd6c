//! This module speaks the wire of any other server, as a `[target]` table maps it.
//!
//! **In:** a [`Dialect`], or none for the contract; texts of a server. **Out:** [`ServerFrame`]s, and the texts a
//! client sends. What a server leaves unnamed (task, place of a chunk) stays unnamed here.

use std::borrow::Cow;

use serde_json::Value;

use super::wire::{
    ErrorFrame, FrameError, PING, ServerFrame, TaskId, UNNUMBERED, chat_frame, wait_us,
};
use crate::account::found;
use crate::plan::Dialect;

/// What fills the places of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub conversation: &'a str,
    /// Counts from 0.
    pub client: u32,
    pub account: &'a str,
}

/// Clients of one `{group}`.
const GROUP: u32 = 10;

/// A template with its places filled.
pub(crate) fn filled(template: &str, places: Places<'_>) -> String {
    template
        .replace("{conversation}", places.conversation)
        .replace("{client}", &places.client.to_string())
        .replace("{group}", &(places.client / GROUP).to_string())
        .replace("{account}", places.account)
}

/// A chat message; `text` as it stands within a JSON string.
pub(crate) fn message(
    dialect: Option<&Dialect>,
    (text, id): (&str, &str),
    places: Places<'_>,
) -> String {
    let Some(dialect) = dialect else {
        return chat_frame(text, id);
    };
    filled(&dialect.send.message, places)
        .replace("{text}", text)
        .replace("{id}", id)
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
    let name = found(&frame, field).and_then(Value::as_str);
    let name = name.ok_or_else(|| FrameError::MissingField {
        field: field.clone(),
    })?;
    let is = |event: &Option<String>| event.as_deref() == Some(name);
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
        ServerFrame::Error(ErrorFrame {
            code,
            retry_after_us: wait.and_then(wait_us),
            client_message_id: id(),
            task: (task != TaskId::UNNAMED).then_some(task),
        })
    } else if events.ignore.iter().any(|ignored| ignored == name) {
        ServerFrame::Ignored
    } else {
        return Err(FrameError::UnknownEvent {
            name: name.to_owned(),
        });
    })
}

/// Whether a message that is no text is an answer: where every message is one.
pub(crate) fn is_any_answer(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| dialect.events.field.is_none())
}

/// An id: a text or a number.
fn owned(frame: &Value, field: &str) -> Option<Cow<'static, str>> {
    match found(frame, field)? {
        Value::String(text) => Some(Cow::Owned(text.clone())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}
