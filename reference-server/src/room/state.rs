//! One conversation: its sockets, its tasks, and how far it was delivered.

use std::sync::Arc;

use super::event::RawEvent;
use super::finished::{End, Finished, Memory};
use super::member::Member;
use super::place::Place;
use super::task::{Stage, Task};
use crate::clock;
use crate::defect::Defects;
use crate::socket::{Conn, code};
use crate::store::StreamId;
use crate::wire::{Event, Frame, lost};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// At least one socket got it.
    Sent,
    /// It came before.
    Repeat,
    /// No socket was to have it.
    Nobody,
}

/// One conversation.
pub(super) struct Room {
    pub(super) members: Vec<Member>,
    pub(super) tasks: Vec<Task>,
    /// Finished tasks.
    pub(super) done: Finished,
    /// The last entry delivered; `None` until subscribed.
    pub(super) last: Option<StreamId>,
    /// The last entry that was heard before that.
    early: StreamId,
    /// How often the ids have begun anew.
    epoch: u32,
}

impl Room {
    /// Without sockets.
    pub(super) fn new(memory: &Memory) -> Self {
        Self {
            members: Vec::new(),
            tasks: Vec::new(),
            done: Finished::new(memory),
            last: None,
            early: StreamId::default(),
            epoch: 0,
        }
    }

    /// Adds a socket. `true` where the subscription stands already.
    pub(super) fn join(&mut self, conn: &Arc<Conn>) -> bool {
        // Most rooms have one socket: the first push of a Vec would make room for four.
        if self.members.is_empty() {
            self.members.reserve_exact(1);
        }
        let joined = self.last.map(|last| self.place(last));
        self.members.push(Member::new(conn, joined));
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
            // What was heard between the subscription and the look at the history was delivered to
            // nobody.
            self.last = Some(last.max(self.early));
        }
        let joined = self.last.map(|last| self.place(last));
        for member in &mut self.members {
            if !member.is_subscribed() {
                member.subscribed(joined);
                member.conn.open();
            }
        }
    }

    pub(super) fn refuse_pending(&mut self) {
        for member in &self.members {
            if !member.is_subscribed() {
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

    pub(super) fn deliver(
        &mut self,
        id: StreamId,
        event: &RawEvent<'_>,
        defects: &Defects,
    ) -> Delivery {
        let Some(last) = self.last else {
            self.early = self.early.max(id);
            return Delivery::Nobody;
        };
        if id <= last {
            if !self.is_news(event) {
                return Delivery::Repeat;
            }
            self.begin_anew(id);
        }
        self.last = Some(id);
        if self.done.get(event.task).is_some() {
            return self.repeat(id, event, defects);
        }
        let place = self.place(id);
        let at = self.task_at(event, place);
        let task = &mut self.tasks[at];
        if std::mem::take(&mut task.unseen) {
            task.next = event.ordinal;
        }
        // A gap means that Redis forgot events; the task is queued again and starts over.
        if event.ordinal != task.next {
            return if event.ordinal < task.next {
                self.repeat(id, event, defects)
            } else {
                Delivery::Nobody
            };
        }
        if event.ordinal == 0 {
            task.first = Some(place);
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
        let sent = self.send(of, event, frame.as_ref());
        if event.is_end() {
            self.finish(at);
        }
        if sent {
            Delivery::Sent
        } else {
            Delivery::Nobody
        }
    }

    /// Whether it is the next event of its task, or the first that is heard of it: it was never
    /// delivered, whatever its id.
    fn is_news(&self, event: &RawEvent<'_>) -> bool {
        let running = self.tasks.iter().find(|task| task.id == event.task);
        let is_next = |task: &Task| task.unseen || task.next == event.ordinal;
        self.done.get(event.task).is_none() && running.is_none_or(is_next)
    }

    /// An event that nobody had has a lower id than those before: Redis lost the history, and its
    /// clock went back or is another's. From here on ids count from this one, and who waits for a
    /// replay of what is gone is told.
    fn begin_anew(&mut self, id: StreamId) {
        tracing::debug!(%id, "the ids of a room begin anew");
        self.epoch += 1;
        for member in &mut self.members {
            if member.paused.take().is_some() {
                member
                    .conn
                    .close(code::FAILURE, "the history cannot be read");
            }
        }
    }

    /// When that entry came, if it came now.
    pub(super) fn place(&self, id: StreamId) -> Place {
        Place {
            epoch: self.epoch,
            id,
        }
    }

    /// It came before: only who lacks exactly this event of the task gets it.
    fn repeat(&mut self, id: StreamId, event: &RawEvent<'_>, defects: &Defects) -> Delivery {
        let (task, ordinal) = (event.task, event.ordinal);
        if self
            .members
            .iter()
            .any(|member| member.lacks(task, ordinal))
        {
            let frame = event.frame(id, defects);
            self.send((task, None), event, frame.as_ref());
        }
        Delivery::Repeat
    }

    /// The task at `at` is answered. Where a socket is owed an answer that Redis forgot in the
    /// middle, the task is looked after until that socket has it too: it is run again for its sake.
    fn finish(&mut self, at: usize) {
        let task = self.tasks.swap_remove(at);
        self.remember(&task, false);
        if task.stage == Stage::Acked && self.owes(task.id) {
            self.tasks.push(Task { next: 0, ..task });
        }
    }

    /// Whether a socket was told `task_queued` of the task and not its end.
    pub(super) fn owes(&self, task: u64) -> bool {
        self.members.iter().any(|member| member.is_owed(task))
    }

    /// Where the event's task is; one nobody here asked for is added.
    fn task_at(&mut self, event: &RawEvent<'_>, place: Place) -> usize {
        let known = self.tasks.iter().position(|task| task.id == event.task);
        known.unwrap_or_else(|| {
            let first = (event.ordinal == 0).then_some(place);
            self.tasks
                .push(Task::foreign(event.task, event.ordinal, first));
            self.tasks.len() - 1
        })
    }

    /// Sends an event to whom it is for; `frame` is `None` where a defect withholds it.
    fn send(
        &mut self,
        task: (u64, Option<Place>),
        event: &RawEvent<'_>,
        frame: Option<&Frame>,
    ) -> bool {
        let mut sent = false;
        for member in &mut self.members {
            if !member.takes(task, event.ordinal) {
                continue;
            }
            if let Some(frame) = frame {
                member.conn.send(frame);
                sent = true;
            }
            if event.is_end() {
                member.settle(event.task);
            }
        }
        sent
    }

    /// Remembers how a task ended.
    pub(super) fn remember(&mut self, task: &Task, lost: bool) {
        let id = task.client_message_id.as_deref();
        let asked = id.map(|id| (self.done.memory().question(task.user, id), task.born_ms));
        let first = task.first.unwrap_or_default();
        let next = task.next;
        self.done.add(
            task.id,
            End {
                first,
                next,
                lost,
                asked,
            },
        );
    }

    /// Says `task_queued` of the task at `at` to the socket `conn`, which is owed its end unless it
    /// has had it.
    pub(super) fn acknowledge(&mut self, at: usize, conn: u64) {
        let task = &self.tasks[at];
        let mut members = self.members.iter_mut();
        if let Some(member) = members.find(|member| member.conn.id == conn) {
            acknowledge(&member.conn, task.id, task.client_message_id.as_deref());
            if member.was_told_lost(task.id) {
                member.conn.send(&lost(task.id));
            } else if !member.has_ended(task.id) {
                member.owe(task.id);
            }
        }
    }

    /// Says `task_queued` to those sockets of the asker that are to get the answer and were not
    /// told: the socket that asked may be gone, and its user here again on another. Whoever is
    /// paused is told too, for the answer follows.
    ///
    /// Nobody else could make anything of it, nor could the asker without the message's id.
    fn acknowledge_elsewhere(&mut self, at: usize) {
        let task = &self.tasks[at];
        if task.client_message_id.is_none() {
            return;
        }
        for member in &mut self.members {
            if member.conn.user == task.user
                && member.has(task.id, task.first)
                && !member.has_begun(task.id)
                && !member.is_owed(task.id)
            {
                acknowledge(&member.conn, task.id, task.client_message_id.as_deref());
                member.owe(task.id);
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
        let mut room = Room::new(&Memory::new(60_000, 60_000));
        let id = |ms| StreamId { ms, seq: 0 };
        let text = encode_message(1, "{}");
        let event = RawEvent::parse("chat:0", &text).unwrap();
        room.deliver(id(7), &event, &Defects::default());
        room.subscribed(id(5));
        assert_eq!(room.cursor(), Some(id(7)));
    }
    #[test]
    fn what_is_new_is_delivered_whatever_its_id_and_what_is_known_is_not() {
        let mut room = Room::new(&Memory::new(60_000, 60_000));
        let id = |ms| StreamId { ms, seq: 0 };
        room.subscribed(id(5));
        let mut deliver = |number, at| {
            let text = encode_message(number, "{}");
            let event = RawEvent::parse("chat:0", &text).unwrap();
            let delivery = room.deliver(id(at), &event, &Defects::default());
            (delivery, room.cursor().unwrap().ms)
        };
        assert_eq!(deliver(1, u64::MAX), (Delivery::Nobody, u64::MAX));
        assert_eq!(deliver(2, 9), (Delivery::Nobody, 9), "the ids begin anew");
        assert_eq!(deliver(2, 9), (Delivery::Repeat, 9));
        assert_eq!(deliver(1, 8), (Delivery::Repeat, 9));
        assert_eq!(deliver(2, 10), (Delivery::Repeat, 10));
    }
}
