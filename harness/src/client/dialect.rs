//! This module reads the wire of any other server, as a `[target]` table maps it.
//!
//! **In:** a [`Dialect`], or none for the contract; texts of a server. **Out:** [`ServerFrame`]s. What a server leaves unnamed
//! (task, place of a chunk) stays unnamed here.

use std::borrow::Cow;

use super::frame::{Body, Seen};
use super::wire::{ErrorFrame, FrameError, ServerFrame, TaskId, UNNUMBERED, wait_us};
use crate::plan::{Dialect, EventName, PLACE};

/// Whether there is a heartbeat at all.
pub(crate) fn has_heartbeat(dialect: Option<&Dialect>) -> bool {
    dialect.is_none_or(|dialect| dialect.send.heartbeat.is_some())
}

/// Whether a heartbeat is answered.
pub(crate) fn has_pong(dialect: Option<&Dialect>) -> bool {
    dialect.is_none_or(|dialect| dialect.events.pong.is_some())
}

/// Whether a socket is ready when the upgrade is done.
pub(crate) fn is_ready_at_once(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| {
        let awaits = dialect.open.iter().any(|step| step.awaited.is_some());
        dialect.events.connected.is_none() && !awaits
    })
}

/// Reads a text frame.
pub(crate) fn read<'a>(
    dialect: Option<&Dialect>,
    text: &'a str,
) -> Result<ServerFrame<'a>, FrameError> {
    match dialect {
        Some(dialect) => read_seen(dialect, Seen::new(text)),
        None => ServerFrame::parse(text),
    }
}

/// The same of a text that was looked at.
pub(crate) fn read_seen<'a>(
    dialect: &Dialect,
    seen: Seen<'_>,
) -> Result<ServerFrame<'a>, FrameError> {
    let events = &dialect.events;
    if let Some((event, frame)) = shaped(dialect, &seen) {
        return Ok(meaning(dialect, event, &frame));
    }
    let Some(field) = &events.field else {
        let id = seen.body().owned(&dialect.fields.id);
        return Ok(ServerFrame::Answer { id });
    };
    let Some(name) = seen.body().owned(field) else {
        // A pattern wants no JSON.
        let error = Some(seen).filter(|_| !field.contains(PLACE));
        let error = error.and_then(Seen::into_error);
        return Err(error.map_or_else(|| missing(field), FrameError::Shape));
    };
    let is = |event: &EventName| matches!(event, EventName::Named(named) if **named == *name);
    let known = known(dialect).find(|(_, event)| is(event));
    match known {
        Some((event, _)) => Ok(meaning(dialect, event, &seen.body())),
        None if events.ignore.iter().any(is) => Ok(ServerFrame::Ignored),
        None => Err(FrameError::UnknownEvent {
            name: name.into_owned(),
        }),
    }
}

fn missing(field: &str) -> FrameError {
    FrameError::MissingField {
        field: field.to_owned(),
    }
}

/// What a frame is about.
#[derive(Clone, Copy)]
enum Event {
    Connected,
    Queued,
    Started,
    Chunk,
    Complete,
    Answer,
    Pong,
    Expiring,
    Error,
    Ignored,
}

/// The events that a server has.
fn known(dialect: &Dialect) -> impl Iterator<Item = (Event, &EventName)> {
    let events = &dialect.events;
    // An error that looks like an answer is an error.
    let known = [
        (Event::Error, &events.error),
        (Event::Connected, &events.connected),
        // Nor is what answers a heartbeat, though it may look like any other answer.
        (Event::Pong, &events.pong),
        (Event::Queued, &events.queued),
        (Event::Started, &events.started),
        (Event::Chunk, &events.chunk),
        (Event::Complete, &events.complete),
        (Event::Answer, &events.answer),
        (Event::Expiring, &events.expiring),
    ];
    let known = known.into_iter();
    known.filter_map(|(event, name)| Some((event, name.as_ref()?)))
}

/// The event whose frames look like this one, which says more than a name.
fn shaped<'s>(dialect: &Dialect, seen: &'s Seen<'_>) -> Option<(Event, Body<'s>)> {
    let ignored = dialect.events.ignore.iter();
    let ignored = ignored.map(|event| (Event::Ignored, event));
    known(dialect).chain(ignored).find_map(|(event, name)| {
        let EventName::Shaped(meant) = name else {
            return None;
        };
        Some((event, seen.matched(dialect, meant)?))
    })
}

/// What the frame of an event says.
fn meaning<'a>(dialect: &Dialect, event: Event, frame: &Body<'_>) -> ServerFrame<'a> {
    let fields = &dialect.fields;
    let id = || frame.owned(&fields.id);
    let task = || {
        frame
            .owned(&fields.task)
            .map_or(TaskId::UNNAMED, |task| TaskId::of(&task))
    };
    let number = |field: &str| {
        let number = frame.owned(field).and_then(|number| number.parse().ok());
        number.unwrap_or(UNNUMBERED)
    };
    match event {
        Event::Connected => ServerFrame::Connected,
        Event::Queued => ServerFrame::TaskQueued {
            task: task(),
            client_message_id: id(),
        },
        Event::Started => ServerFrame::ProcessingStarted { task: task() },
        Event::Chunk => ServerFrame::Chunk {
            task: task(),
            seq: number(&fields.seq),
        },
        Event::Complete => ServerFrame::Complete {
            task: task(),
            chunks: number(&fields.chunks),
        },
        Event::Answer => ServerFrame::Answer { id: id() },
        Event::Pong => ServerFrame::Pong,
        Event::Expiring => ServerFrame::TokenExpiringSoon,
        Event::Error => {
            let code = frame.owned(&fields.code).unwrap_or(Cow::Borrowed(NO_CODE));
            let wait = frame.number(&fields.retry_after);
            let mut texts = TEXT_FIELDS.iter();
            let task = task();
            ServerFrame::Error(ErrorFrame {
                code,
                text: texts.find_map(|field| frame.owned(field)),
                retry_after_us: wait.and_then(wait_us),
                client_message_id: id(),
                task: (task != TaskId::UNNAMED).then_some(task),
            })
        }
        Event::Ignored => ServerFrame::Ignored,
    }
}

/// Whether a message that is no text is an answer: where every message is one.
pub(crate) fn is_any_answer(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| dialect.events.field.is_none())
}

/// In place of the code of an error that has none.
pub(super) const NO_CODE: &str = "error without a code";
/// Where servers say to people what is wrong.
const TEXT_FIELDS: [&str; 5] = ["message", "error", "detail", "reason", "error.message"];
