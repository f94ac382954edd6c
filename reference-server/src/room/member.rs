//! One socket in a room: what it has had, what it is to have, and what it is owed.
//!
//! Most sockets need two ids for the first two: what began after they joined is theirs. Only
//! answers that were under way before, and of which a replay sent a part, are noted one by one.

use std::sync::Arc;

use super::finished::End;
use super::place::Place;
use super::replay_request::Seen;
use crate::clock;
use crate::socket::Conn;

/// Answers noted one by one; past this the oldest are forgotten.
const ADOPTED: usize = 1024;
/// The next event of an answer that was called lost: there is none.
const LOST: u32 = u32::MAX;
/// The same of one whose end came by a replay.
const WHOLE: u32 = LOST - 1;

/// A socket in the room.
pub(super) struct Member {
    pub(super) conn: Arc<Conn>,
    /// Tasks that began later are delivered to it; `None` until the room is subscribed.
    joined: Option<Place>,
    /// Messages of people from here on were had, live or by a replay. Of tasks nothing follows from it: Redis may have
    /// forgotten one, and of what a replay did bring there is a note.
    messages_from: Option<Place>,
    /// Earlier tasks that it gets all the same, and the ordinal it has not had.
    adopted: Vec<(u64, u32)>,
    /// Tasks that `task_queued` was said of and whose end was not, and when they were last known to
    /// be alive.
    owed: Vec<(u64, u64)>,
    /// Where a `resume` is under way.
    pub(super) paused: Option<Box<Pause>>,
}

/// While it lasts, live events wait in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// What came up to here was sent live.
    pub(super) until: Place,
    /// What came after this is being replayed.
    pub(super) after: Place,
}

impl Member {
    pub(super) fn new(conn: &Arc<Conn>, joined: Option<Place>) -> Self {
        Self {
            conn: Arc::clone(conn),
            joined,
            messages_from: joined,
            adopted: Vec::new(),
            owed: Vec::new(),
            paused: None,
        }
    }

    /// `task_queued` was said: there must be an end.
    pub(super) fn owe(&mut self, task: u64) {
        self.settle(task);
        self.owed.push((task, clock::since_start_ms()));
    }

    /// The end was said.
    pub(super) fn settle(&mut self, task: u64) {
        self.owed.retain(|(owed, _)| *owed != task);
    }

    /// Whether `task_queued` was said and the end was not.
    pub(super) fn is_owed(&self, task: u64) -> bool {
        self.owed.iter().any(|(owed, _)| *owed == task)
    }

    /// A replay brought the end of a task: nothing more of it is sent.
    pub(super) fn had_all(&mut self, task: u64) {
        self.settle(task);
        self.adopt(task, WHOLE);
    }

    /// A task was called lost: nothing more of it is sent, though it be answered after all.
    pub(super) fn lose(&mut self, task: u64) {
        self.settle(task);
        self.adopt(task, LOST);
    }

    /// Whether nothing more of a task is sent, for its end was said.
    pub(super) fn has_ended(&self, task: u64) -> bool {
        self.next_of(task).is_some_and(|next| next >= WHOLE)
    }

    /// Whether it was told that a task is lost.
    pub(super) fn was_told_lost(&self, task: u64) -> bool {
        self.next_of(task) == Some(LOST)
    }

    /// Tasks it is owed of which nothing has been heard for `timeout_ms`; `is_alive` says which go
    /// on.
    pub(super) fn overdue(&mut self, is_alive: impl Fn(u64) -> bool, timeout_ms: u64) -> Vec<u64> {
        // What a replay brings is not here yet.
        if self.owed.is_empty() || self.paused.is_some() {
            return Vec::new();
        }
        let now_ms = clock::since_start_ms();
        let mut overdue = Vec::new();
        for (task, alive_ms) in &mut self.owed {
            if is_alive(*task) {
                *alive_ms = now_ms;
            } else if now_ms.saturating_sub(*alive_ms) > timeout_ms {
                overdue.push(*task);
            }
        }
        for task in &overdue {
            self.lose(*task);
        }
        overdue
    }

    /// Whether a task that began at `first` is for this socket.
    pub(super) fn has(&self, task: u64, first: Option<Place>) -> bool {
        self.began_here(first) || self.next_of(task).is_some()
    }

    /// Whether it has had a message of people.
    pub(super) fn has_message(&self, number: u64, at: Place) -> bool {
        is_after(Some(at), self.messages_from) || self.next_of(number).is_some()
    }

    /// Whether it takes that event of the task live. To be asked once for each event.
    pub(super) fn takes(&mut self, (task, first): (u64, Option<Place>), ordinal: u32) -> bool {
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

    /// Whether it waits for exactly that event of a task, which the others have had.
    pub(super) fn lacks(&self, task: u64, ordinal: u32) -> bool {
        self.paused.is_none() && self.next_of(task) == Some(ordinal)
    }

    /// Whether it has had that event of the task.
    pub(super) fn had(&self, seen: &Seen, (task, ordinal): (u64, u32)) -> bool {
        if let Some(next) = self.next_of(task) {
            return ordinal < next;
        }
        if seen.message {
            return is_after(seen.first, self.messages_from) && !self.began_in_pause(seen.first);
        }
        // What was under way when the pause began is noted one by one.
        self.gets_live(task, seen.first)
    }

    /// Whether a task that began at `first` comes to it live from its beginning, without a note of
    /// it.
    pub(super) fn gets_live(&self, task: u64, first: Option<Place>) -> bool {
        self.began_here(first) && !self.began_in_pause(first) && self.next_of(task).is_none()
    }

    /// Whether a task began while live events waited.
    pub(super) fn began_in_pause(&self, first: Option<Place>) -> bool {
        let paused = self.paused.as_ref();
        paused.is_some_and(|pause| first.is_some_and(|first| first > pause.until))
    }

    /// Whether it has had all that it is to have of a finished task.
    pub(super) fn has_had(&self, (task, end): (u64, &End)) -> bool {
        match self.next_of(task) {
            Some(next) => next >= end.next,
            None => self.began_here(Some(end.first)),
        }
    }

    /// The ordinal of a noted task that comes next.
    pub(super) fn next_of(&self, task: u64) -> Option<u32> {
        let mut adopted = self.adopted.iter();
        adopted.find(|(id, _)| *id == task).map(|(_, next)| *next)
    }

    /// Whether it has had a part of a task that is noted for it.
    pub(super) fn has_begun(&self, task: u64) -> bool {
        self.next_of(task).is_some_and(|next| next > 0)
    }

    /// Notes what was sent of a task.
    pub(super) fn adopt(&mut self, task: u64, next: u32) {
        match self.adopted.iter_mut().find(|(id, _)| *id == task) {
            Some((_, known)) => *known = next.max(*known),
            None => self.adopted.push((task, next)),
        }
        if self.adopted.len() > ADOPTED {
            self.adopted.remove(0);
        }
    }

    /// The replay is through: from here on everything comes live. All was had from the entry after
    /// `from` on, the first that the history still had; nothing where it had none.
    pub(super) fn caught_up(&mut self, from: Option<Place>) {
        self.paused = None;
        if from.is_some() {
            self.messages_from = self.messages_from.min(from);
        }
    }

    /// The room is subscribed from there on.
    pub(super) fn subscribed(&mut self, from: Option<Place>) {
        (self.joined, self.messages_from) = (from, from);
    }

    /// Whether the room is subscribed.
    pub(super) fn is_subscribed(&self) -> bool {
        self.joined.is_some()
    }

    pub(super) fn began_here(&self, first: Option<Place>) -> bool {
        is_after(first, self.joined)
    }
}

fn is_after(first: Option<Place>, from: Option<Place>) -> bool {
    matches!((first, from), (Some(first), Some(from)) if first > from)
}
