//! A replay: what is asked for, the parts it is sent in, and how far it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::place::Place;
use crate::defect::Defects;
use crate::socket::Conn;
use crate::store::StreamId;
use crate::wire::refusal;

/// What a socket wants to have again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// One task's answer, from its beginning; and the task's entry in the queue.
    Task(u64, StreamId),
    /// Everything after an entry.
    After(StreamId),
}

/// A replay to be done.
pub(crate) struct ReplayRequest {
    /// For whom.
    pub(crate) conn: Arc<Conn>,
    /// What.
    pub(crate) what: What,
    /// The message whose answer it is: a refusal must name it, or the client takes it for another
    /// one's.
    pub(crate) client_message_id: Option<Box<str>>,
}

/// A part of the history.
pub(crate) struct Part {
    /// Entries and their texts, in order.
    pub(crate) entries: Vec<(StreamId, String)>,
    /// Whether the history had no more.
    pub(crate) is_last: bool,
    /// What had been delivered live before it was read.
    pub(crate) target: StreamId,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// The socket has everything, and gets the rest live.
    UpToDate,
    /// Another part must be read.
    Part,
    /// The socket must read before it gets more.
    Full,
}

/// How far a replay is.
#[derive(Default)]
pub(crate) struct Progress {
    /// Everything up to here was read.
    pub(crate) read: StreamId,
    /// The first entry that the history had.
    pub(super) from: Option<StreamId>,
    /// The tasks seen.
    pub(super) seen: BTreeMap<u64, Seen>,
}

/// What was seen of a task.
pub(super) struct Seen {
    /// The ordinal that comes next.
    pub(super) next: u32,
    /// When it began, where that is known.
    pub(super) first: Option<Place>,
    /// Whether it is a message of people.
    pub(super) message: bool,
    /// Whether its last event was among them.
    pub(super) ended: bool,
}

impl What {
    /// Where to start reading.
    pub(crate) fn start(self, defects: &Defects) -> Progress {
        let read = match self {
            Self::Task(..) => StreamId::default(),
            Self::After(after) => defects.replay_from(after),
        };
        Progress {
            read,
            from: None,
            seen: BTreeMap::new(),
        }
    }
}

impl ReplayRequest {
    /// Says that the replay cannot be had now.
    pub(super) fn refuse(&self, code: &str, error: &str) {
        let id = self.client_message_id.as_deref();
        self.conn.send(&refusal(code, error, Some(1.0), id));
    }
}

impl Progress {
    /// Whether nothing was found of the task that was asked for.
    pub(crate) fn is_without(&self, task: u64) -> bool {
        !self.seen.contains_key(&task)
    }
}
