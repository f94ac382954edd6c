//! One socket in a room: what it has had, and what it is to have.
//!
//! Most sockets need two ids for that: what began after they joined is theirs. Only answers that were under way
//! before, and of which a replay sent a part, are noted one by one.

use std::sync::Arc;

use super::replay::{Seen, What};
use crate::socket::Conn;
use crate::stream_id::StreamId;

/// Answers noted one by one; past this the oldest are forgotten.
const ADOPTED: usize = 64;

/// A socket in the room.
pub(super) struct Member {
    pub(super) conn: Arc<Conn>,
    /// Tasks that began later are delivered to it; `None` until the room is subscribed.
    pub(super) joined: Option<StreamId>,
    /// Earlier tasks that it gets all the same, and the ordinal it has not had.
    adopted: Vec<(u64, u32)>,
    /// Tasks that `task_queued` was said of before anything else was known of them here, the newest last.
    told: Vec<u64>,
    /// Where a `resume` is under way.
    pub(super) paused: Option<Box<Pause>>,
}

/// While it lasts, live events wait in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// What came up to here was sent live.
    pub(super) until: StreamId,
    /// What came after this is being replayed.
    pub(super) after: StreamId,
}

/// Most tasks that a socket asked for again and whose first event has not come: older ones are forgotten.
const TOLD_MAX: usize = 64;

impl Member {
    /// `task_queued` was said of a task that is another instance's so far.
    pub(super) fn note_told(&mut self, task: u64) {
        if self.told.len() == TOLD_MAX {
            self.told.remove(0);
        }
        self.told.push(task);
    }

    /// Whether it was; asked once, when the task begins here.
    pub(super) fn take_told(&mut self, task: u64) -> bool {
        let at = self.told.iter().position(|told| *told == task);
        at.map(|at| self.told.remove(at)).is_some()
    }

    pub(super) fn new(conn: &Arc<Conn>, joined: Option<StreamId>) -> Self {
        Self {
            conn: Arc::clone(conn),
            joined,
            adopted: Vec::new(),
            told: Vec::new(),
            paused: None,
        }
    }

    /// Whether a task that began at `first` is for this socket.
    pub(super) fn has(&self, task: u64, first: Option<StreamId>) -> bool {
        self.began_here(first) || self.adopted.iter().any(|(id, _)| *id == task)
    }

    /// Whether it takes that event of the task live. To be asked once for each event.
    pub(super) fn takes(&mut self, (task, first): (u64, Option<StreamId>), ordinal: u32) -> bool {
        if self.paused.is_some() {
            return false;
        }
        match self.adopted.iter_mut().find(|(id, _)| *id == task) {
            // A worker that took the task over starts it again.
            Some((_, next)) if *next == ordinal => {
                *next += 1;
                true
            }
            Some(_) => false,
            None => self.began_here(first),
        }
    }

    /// Whether it has had that event of the task, whose entry is `id`.
    pub(super) fn had(&self, seen: &Seen, (task, ordinal): (u64, u32), id: StreamId) -> bool {
        match self.adopted.iter().find(|(id, _)| *id == task) {
            Some((_, next)) => ordinal < *next,
            None => {
                self.began_here(seen.first)
                    && self.paused.as_ref().is_none_or(|pause| id <= pause.until)
            }
        }
    }

    /// Whether it has had a part of a task that is noted for it.
    pub(super) fn has_begun(&self, task: u64) -> bool {
        self.adopted
            .iter()
            .any(|(id, next)| *id == task && *next > 0)
    }

    /// Notes what a replay sent of a task.
    pub(super) fn adopt(&mut self, task: u64, next: u32) {
        match self.adopted.iter_mut().find(|(id, _)| *id == task) {
            Some((_, known)) => *known = next.max(*known),
            None => self.adopted.push((task, next)),
        }
        if self.adopted.len() > ADOPTED {
            self.adopted.remove(0);
        }
    }

    /// The replay is through: from here on everything comes live.
    pub(super) fn caught_up(&mut self, what: What) {
        if let What::After(after) = what {
            self.paused = None;
            self.joined = self.joined.min(Some(after));
        }
    }

    fn began_here(&self, first: Option<StreamId>) -> bool {
        matches!((first, self.joined), (Some(first), Some(joined)) if first > joined)
    }
}
