//! One conversation: its sockets, its tasks, and how far it was delivered.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::RawEvent;
use super::member::Member;
use super::task::{Stage, Task};
use crate::clock;
use crate::defect::Defects;
use crate::frame::Frame;
use crate::socket::{Conn, code};
use crate::stream_id::StreamId;
use crate::wire::Event;

/// Finished tasks remembered, so that a repeat of their events is known as one.
const REMEMBERED: usize = 32;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// At least one socket got it.
    Sent,
    /// It came before.
    Repeat,
    /// No socket was to have it.
    Nobody,
}

/// One conversation.
#[derive(Default)]
pub(crate) struct Room {
    pub(super) members: Vec<Member>,
    pub(super) tasks: Vec<Task>,
    /// Finished tasks and when they began.
    pub(super) done: VecDeque<(u64, Option<StreamId>)>,
    /// The last entry delivered; `None` until subscribed.
    pub(super) last: Option<StreamId>,
    /// The last entry that was heard before that.
    early: StreamId,
}

impl Room {
    /// Adds a socket. `true` where the subscription stands already.
    pub(super) fn join(&mut self, conn: &Arc<Conn>) -> bool {
        // Most rooms have one socket: the first push of a Vec would make room for four.
        if self.members.is_empty() {
            self.members.reserve_exact(1);
        }
        self.members.push(Member::new(conn, self.last));
        self.last.is_some()
    }

    pub(super) fn leave(&mut self, conn: u64) {
        self.members.retain(|member| member.conn.id != conn);
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.last.is_some()
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn cursor(&self) -> Option<StreamId> {
        self.last
    }

    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.tasks.iter().all(|task| task.stage != Stage::Acked)
    }

    pub(super) fn subscribed(&mut self, last: StreamId) {
        if self.last.is_none() {
            // What was heard between the subscription and the look at the history was delivered to nobody.
            self.last = Some(last.max(self.early));
        }
        for member in &mut self.members {
            if member.joined.is_none() {
                member.joined = self.last;
                member.conn.open();
            }
        }
    }

    pub(super) fn refuse_pending(&mut self) {
        for member in &self.members {
            if member.joined.is_none() {
                member
                    .conn
                    .close(code::FAILURE, "the channel layer is away");
            }
        }
    }

    pub(super) fn send_all(&self, frame: &Frame) {
        for member in &self.members {
            member.conn.send(frame);
        }
    }

    pub(super) fn deliver(&mut self, id: StreamId, event: &RawEvent<'_>, defects: Defects) -> Told {
        let Some(last) = self.last else {
            self.early = self.early.max(id);
            return Told::Nobody;
        };
        if id <= last {
            return Told::Repeat;
        }
        self.last = Some(id);
        if self.done.iter().any(|(task, _)| *task == event.task) {
            return Told::Repeat;
        }
        let at = self.task_at(event, id);
        let task = &mut self.tasks[at];
        // A gap means that Redis forgot events; the task is queued again and starts over.
        if event.ordinal != task.next {
            return if event.ordinal < task.next {
                Told::Repeat
            } else {
                Told::Nobody
            };
        }
        if event.ordinal == 0 {
            task.first = Some(id);
        }
        task.next += 1;
        task.silent_since_ms = clock::since_start_ms();
        if task.stage == Stage::Asked {
            task.stage = Stage::Acked;
            let owner = task.owner;
            self.acknowledge(at, owner);
        }
        // An admin who also asks something is told so where it was asked.
        if event.ordinal == 0 && !event.is_feed() {
            self.tasks[at].asked_by(event.asker);
            self.acknowledge_elsewhere(at);
        }
        let of = (self.tasks[at].id, self.tasks[at].first);
        let frame = event.frame(id, defects);
        let sent = frame.is_some_and(|frame| self.send(of, event.ordinal, &frame));
        if event.is_end() {
            let task = self.tasks.swap_remove(at);
            self.remember(task.id, task.first);
        }
        if sent { Told::Sent } else { Told::Nobody }
    }

    /// Where the event's task is; one nobody here asked for is added.
    fn task_at(&mut self, event: &RawEvent<'_>, id: StreamId) -> usize {
        let known = self.tasks.iter().position(|task| task.id == event.task);
        known.unwrap_or_else(|| {
            let first = (event.ordinal == 0).then_some(id);
            self.tasks
                .push(Task::foreign(event.task, event.ordinal, first));
            self.tasks.len() - 1
        })
    }

    fn send(&mut self, task: (u64, Option<StreamId>), ordinal: u32, frame: &Frame) -> bool {
        let mut sent = false;
        for member in &mut self.members {
            if member.takes(task, ordinal) {
                member.conn.send(frame);
                sent = true;
            }
        }
        sent
    }

    pub(super) fn remember(&mut self, task: u64, first: Option<StreamId>) {
        if self.done.len() == REMEMBERED {
            self.done.pop_front();
        }
        self.done.push_back((task, first));
    }

    /// Says `task_queued` of the task at `at` to the socket `conn`.
    pub(super) fn acknowledge(&mut self, at: usize, conn: u64) {
        let Some(member) = self.members.iter().find(|member| member.conn.id == conn) else {
            return;
        };
        let task = &mut self.tasks[at];
        acknowledge(&member.conn, task.id, task.client_message_id.as_deref());
        task.note_told(conn);
    }

    /// Says `task_queued` to those sockets of the asker that are to get the answer and were not told: the socket that
    /// asked may be gone, and its user here again on another. Whoever is paused is told too, for the answer follows.
    ///
    /// Nobody else could make anything of it, nor could the asker without the message's id.
    fn acknowledge_elsewhere(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        if task.client_message_id.is_none() {
            return;
        }
        for member in &mut self.members {
            let told = member.take_told(task.id) || task.told.contains(&member.conn.id);
            let conn = &member.conn;
            if conn.user == task.user
                && member.has(task.id, task.first)
                && !member.has_begun(task.id)
            {
                if !told {
                    acknowledge(conn, task.id, task.client_message_id.as_deref());
                }
                task.note_told(conn.id);
            }
        }
    }
}

/// Says `task_queued`.
pub(super) fn acknowledge(conn: &Conn, task: u64, client_message_id: Option<&str>) {
    let task_id = crate::wire::task_id(task);
    conn.send(
        &Event::TaskQueued {
            task_id: &task_id,
            client_message_id,
        }
        .frame(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::event::encode_message;

    #[test]
    fn what_is_heard_before_the_subscription_stands_counts_as_before_it() {
        let mut room = Room::default();
        let id = |ms| StreamId { ms, seq: 0 };
        let text = encode_message(1, "{}");
        let event = RawEvent::parse("chat:0", &text).unwrap();
        room.deliver(id(7), &event, Defects::default());
        room.subscribed(id(5));
        assert_eq!(room.cursor(), Some(id(7)));
    }
}
