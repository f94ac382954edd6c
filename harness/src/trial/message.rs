//! This module is what a server of any make says of an experiment's messages.
//!
//! **In:** frames. **Out:** whether one is a word on a message of one's own, and how many of many were taken.

use std::collections::BTreeSet;

use crate::client::talk::{Heard, Talk};
use crate::client::wire::ServerFrame;
use crate::plan::{Dialect, Matching};
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive};

const ORDINARY: &str = "hello";

/// Whether answers are known by the id of their message; those in parts are known by their task, or by nothing.
pub(super) fn is_by_id(dialect: Option<&Dialect>) -> bool {
    dialect.is_none_or(|dialect| {
        let in_one = dialect.events.answer.is_some() || dialect.events.field.is_none();
        dialect.matching == Matching::Id && in_one
    })
}

/// An acknowledgement, an answer or a refusal of a message that is `mine`. What names that of somebody else passes by, and so
/// does an answer that names none where answers are known `by_id`.
pub(super) fn is_word_on(
    frame: &ServerFrame<'_>,
    by_id: bool,
    mine: impl Fn(&str) -> bool,
) -> bool {
    match frame {
        ServerFrame::Complete { .. } => !by_id,
        ServerFrame::Error(error) => error.client_message_id.as_deref().is_none_or(mine),
        // Nobody is told of what others may have said.
        ServerFrame::TaskQueued { .. } => named(frame).is_none_or(mine),
        ServerFrame::Answer { .. } => named(frame).map_or(!by_id, mine),
        _ => false,
    }
}

/// The last word on a message of one's own: nothing that comes later is about it.
fn is_end_of(frame: &ServerFrame<'_>, by_id: bool, mine: impl Fn(&str) -> bool) -> bool {
    !matches!(frame, ServerFrame::TaskQueued { .. }) && is_word_on(frame, by_id, mine)
}

/// Says something that nobody refuses, and hears the answer to its end.
///
/// # Errors
///
/// If it is not: what is refused after it says nothing of a limit then.
pub(super) async fn is_heard(talk: &mut Talk, client: &mut TestClient) -> Result<(), Inconclusive> {
    let (id, by_id) = (client.new_message_id(), is_by_id(client.dialect()));
    talk.write(ORDINARY, &id)?;
    let end = |frame: &ServerFrame<'_>| is_end_of(frame, by_id, |named| named == id);
    match talk.hear(ANSWER_TIMEOUT, end).await {
        Heard::Frame(text) if !matches!(talk.parse(&text), Ok(ServerFrame::Error(_))) => Ok(()),
        _ => Err(Inconclusive("an ordinary message is not taken")),
    }
}

/// The message that is acknowledged or answered, where the frame names it.
pub(super) fn named<'a>(frame: &'a ServerFrame<'_>) -> Option<&'a str> {
    match frame {
        ServerFrame::TaskQueued {
            client_message_id: id,
            ..
        }
        | ServerFrame::Message {
            client_message_id: id,
            ..
        }
        | ServerFrame::Answer { id } => id.as_deref(),
        _ => None,
    }
}

/// Messages that were taken, each once however many words there are on it.
#[derive(Debug, Default)]
pub(super) struct Taken {
    ids: BTreeSet<String>,
    /// Where nothing names them: acknowledged, answered in one frame, answered in parts.
    unnamed: [u32; 3],
}

impl Taken {
    pub(super) fn hear(&mut self, frame: &ServerFrame<'_>) {
        if let Some(id) = named(frame) {
            self.ids.insert(id.to_owned());
            return;
        }
        let kind = match frame {
            ServerFrame::TaskQueued { .. } => 0,
            ServerFrame::Answer { .. } => 1,
            ServerFrame::Complete { .. } => 2,
            _ => return,
        };
        self.unnamed[kind] += 1;
    }

    pub(super) fn count(&self) -> u32 {
        let unnamed = self.unnamed.into_iter().max().unwrap_or(0);
        unnamed.max(u32::try_from(self.ids.len()).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::client::wire::TaskId;

    #[test]
    fn a_message_that_is_acknowledged_and_answered_was_taken_once() {
        let mut taken = Taken::default();
        let id = |id: &'static str| Some(Cow::Borrowed(id));
        let queued = |of: &'static str| ServerFrame::TaskQueued {
            task: TaskId(1),
            client_message_id: id(of),
        };
        let complete = ServerFrame::Complete {
            task: TaskId(1),
            chunks: 1,
        };
        for frame in [
            queued("a"),
            complete.clone(),
            queued("b"),
            ServerFrame::Answer { id: id("b") },
            complete,
        ] {
            taken.hear(&frame);
        }
        assert_eq!(taken.count(), 2);
        taken.hear(&ServerFrame::Connected);
        assert_eq!(taken.count(), 2);
    }

    #[test]
    fn an_acknowledgement_is_a_word_and_not_the_last() {
        let queued = ServerFrame::TaskQueued {
            task: TaskId(1),
            client_message_id: None,
        };
        let complete = ServerFrame::Complete {
            task: TaskId(1),
            chunks: 1,
        };
        let mine = |id: &str| id == "mine";
        for by_id in [true, false] {
            assert!(is_word_on(&queued, by_id, mine));
            assert!(!is_end_of(&queued, by_id, mine));
        }
        assert!(is_end_of(&complete, false, mine));
        assert!(!is_end_of(&complete, true, mine));
    }

    #[test]
    fn a_word_on_a_message_of_somebody_else_passes_by() {
        let answer = |id: Option<&'static str>| ServerFrame::Answer {
            id: id.map(Cow::Borrowed),
        };
        let mine = |id: &str| id == "mine";
        for by_id in [true, false] {
            assert!(is_word_on(&answer(Some("mine")), by_id, mine));
            assert!(!is_word_on(&answer(Some("theirs")), by_id, mine));
            assert!(!is_word_on(&ServerFrame::Pong, by_id, mine));
            assert_eq!(is_word_on(&answer(None), by_id, mine), !by_id);
        }
    }
}
