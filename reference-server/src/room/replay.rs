//! Sends a socket what it missed, from the conversation's history, between what it had and what it gets live.
//!
//! The history is read outside of any lock and in rounds: a round is sent up to the last entry that was
//! delivered live; when it reaches that entry, the socket joins the live events under the same lock.

use std::collections::HashMap;
use std::sync::Arc;

use super::Rooms;
use super::event::RawEvent;
use super::state::{Member, Room};
use crate::socket::Conn;
use crate::stream_id::StreamId;

/// What a socket wants to have again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// One task's answer, from its beginning.
    Task(u64),
    /// Everything after an entry.
    After(StreamId),
}

/// A replay to be done.
pub(crate) struct ReplayAsk {
    /// For whom.
    pub(crate) conn: Arc<Conn>,
    /// What.
    pub(crate) what: What,
    /// The message whose answer it is: a refusal must name it, or the client takes it for another one's.
    pub(crate) client_message_id: Option<Box<str>>,
}

/// A part of the history: entries and their texts, in order.
pub(crate) type Fetched = Vec<(StreamId, String)>;

/// How far a replay is.
#[derive(Default)]
pub(crate) struct Progress {
    /// Everything up to here was read.
    pub(crate) read: StreamId,
    /// Next ordinal of the tasks seen, and when they began if that was seen.
    seen: HashMap<u64, (u32, Option<StreamId>)>,
}

impl What {
    /// Where to start reading.
    pub(crate) fn start(self) -> Progress {
        let read = match self {
            Self::Task(_) => StreamId::default(),
            Self::After(after) => after,
        };
        Progress {
            read,
            seen: HashMap::new(),
        }
    }
}

impl ReplayAsk {
    /// Says that the replay cannot be had now.
    pub(super) fn refuse(&self, code: &str, error: &str) {
        let id = self.client_message_id.as_deref();
        self.conn
            .send(&crate::wire::refusal(code, error, Some(1.0), id));
    }
}

impl Rooms {
    /// Starts the replay a client asked for.
    pub(crate) fn resume(&self, conn: &Arc<Conn>, after: StreamId) {
        let mut shard = self.shard(&conn.conversation);
        if let Some(room) = shard.get_mut(&conn.conversation) {
            let ask = ReplayAsk {
                conn: Arc::clone(conn),
                what: What::After(after),
                client_message_id: None,
            };
            self.replay(room, ask);
        }
    }

    /// The last entry delivered live in the conversation.
    pub(crate) fn delivered(&self, conversation: &str) -> Option<StreamId> {
        self.shard(conversation)
            .get(conversation)
            .and_then(Room::cursor)
    }

    /// Sends a part of the history. `true` where the socket is up to date and gets the rest live, `false` where another part
    /// must be read. `target` is what [`Rooms::delivered`] said before the part was read.
    pub(crate) fn replayed(
        &self,
        ask: &ReplayAsk,
        part: &Fetched,
        (target, progress): (StreamId, &mut Progress),
    ) -> bool {
        let mut shard = self.shard(&ask.conn.conversation);
        let Some(room) = shard.get_mut(&ask.conn.conversation) else {
            return true;
        };
        let last = room.cursor().unwrap_or_default();
        let Some(member) = room
            .members
            .iter_mut()
            .find(|member| member.conn.id == ask.conn.id)
        else {
            return true;
        };
        for (id, text) in part.iter().filter(|(id, _)| *id <= last) {
            progress.read = *id;
            if let Some(event) = RawEvent::parse(text)
                && progress.is_due(ask.what, member, (*id, &event))
                && let Some(frame) = event.frame(*id, self.defects)
            {
                member.conn.send(&frame);
                self.metrics.replayed.inc();
            }
        }
        let caught_up = last <= target || progress.read >= last;
        if caught_up {
            member.catch_up(ask.what);
        }
        caught_up
    }

    /// Ends a replay that did not catch up.
    pub(crate) fn abandon(&self, ask: &ReplayAsk) {
        let mut shard = self.shard(&ask.conn.conversation);
        if let Some(room) = shard.get_mut(&ask.conn.conversation) {
            self.unpause(room, ask.conn.id);
        }
        ask.refuse("unavailable", "the history cannot be read");
    }

    #[expect(clippy::unused_self, reason = "one of the operations on rooms")]
    pub(super) fn unpause(&self, room: &mut Room, conn: u64) {
        if let Some(member) = room
            .members
            .iter_mut()
            .find(|member| member.conn.id == conn)
        {
            member.paused = false;
        }
    }
}

impl Member {
    fn catch_up(&mut self, what: What) {
        match what {
            What::Task(task) => self.adopted.push(task),
            What::After(_) => {
                self.paused = false;
                self.joined = Some(StreamId::default());
            }
        }
    }
}

impl Progress {
    /// Whether this entry is wanted, next in its task, and not yet sent to the socket.
    fn is_due(
        &mut self,
        what: What,
        member: &Member,
        (id, event): (StreamId, &RawEvent<'_>),
    ) -> bool {
        if matches!(what, What::Task(task) if task != event.task) {
            return false;
        }
        let start = (event.ordinal, (event.ordinal == 0).then_some(id));
        let (next, first) = self.seen.entry(event.task).or_insert(start);
        if event.ordinal != *next || member.has(event.task, *first) {
            return false;
        }
        *next += 1;
        true
    }
}
