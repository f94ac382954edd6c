//! What was asked in a room: from the question over the acknowledgement to the end of the answer.

use std::sync::Arc;

use super::finished::End;
use super::replay_request::{ReplayRequest, What};
use super::rooms::Rooms;
use super::state::{Room, acknowledge};
use super::task::{Stage, Task};
use crate::clock;
use crate::socket::ChatMessage;
use crate::store::StreamId;
use crate::wire::lost;

impl Rooms {
    /// Notes a question before it goes to the queue, so that no event can overtake `task_queued`.
    /// The task's number is the earlier one where the same message was asked before: it goes on,
    /// has ended, or nobody knows whether it arrived.
    pub(crate) fn ask(&self, message: &ChatMessage) -> u64 {
        let mut shard = self.shard(&message.conn.room);
        let Some(room) = shard.get_mut(&message.conn.room) else {
            return rand::random();
        };
        let (id, user) = (&message.client_message_id, message.conn.user);
        let same =
            |task: &&mut Task| id.is_some() && task.client_message_id == *id && task.user == user;
        if let Some(task) = room.tasks.iter_mut().find(same) {
            // Whoever asks last hears of it first.
            if task.stage == Stage::Asked {
                task.owner = message.conn.id;
            }
            return task.id;
        }
        // Where Redis forgot it, it runs again under its number: those who had its answer get
        // nothing of that.
        let question = id
            .as_deref()
            .map(|id| room.done.memory().question(user, id));
        let finished = question.and_then(|question| room.done.answer_to(question));
        if let Some(task) = finished.filter(|_| self.defects.remembers_ids()) {
            return task;
        }
        let task = Task {
            stage: Stage::Asked,
            owner: message.conn.id,
            client_message_id: message.client_message_id.clone(),
            user,
            text: self.text.keep(&message.text),
            ..Task::foreign(rand::random(), 0, None)
        };
        let number = task.id;
        room.tasks.push(task);
        number
    }

    /// The task is in the queue as `entry`: says `task_queued`, unless an event was faster.
    pub(crate) fn queued(&self, message: &ChatMessage, number: u64, entry: StreamId) {
        self.metrics.messages.queued.inc();
        let mut shard = self.shard(&message.conn.room);
        let Some(room) = shard.get_mut(&message.conn.room) else {
            return;
        };
        if let Some(end) = room.done.get(number).copied() {
            return self.runs_again(room, message, (number, entry, end));
        }
        let Some(at) = room.tasks.iter().position(|task| task.id == number) else {
            return;
        };
        let task = &room.tasks[at];
        let told = room
            .members
            .iter()
            .any(|member| member.conn.id == message.conn.id && member.is_owed(number));
        let said = task.stage == Stage::Acked && task.entry.is_none() && told;
        self.take_up(room, at, (message, entry));
        if !said {
            self.promise(room, at, message);
        }
    }

    /// The message was asked before as `earlier`: says `task_queued` with that task again, and
    /// sends what this socket has not had of its answer.
    pub(crate) fn repeated(
        &self,
        message: &ChatMessage,
        number: u64,
        (earlier, entry): (u64, StreamId),
    ) {
        self.metrics.messages.repeated.inc();
        // Under the lock: an event must not come between this and the note of it.
        let mut shard = self.shard(&message.conn.room);
        let Some(room) = shard.get_mut(&message.conn.room) else {
            return;
        };
        if earlier != number {
            forget(room, number);
        }
        if let Some(member) = room.member(message.conn.id)
            && member.has_ended(earlier)
        {
            // Whatever became of it for others since.
            acknowledge(&message.conn, earlier, message.client_message_id.as_deref());
            if member.was_told_lost(earlier) {
                message.conn.send(&lost(earlier));
            }
            return;
        }
        if let Some(end) = room.done.get(earlier).copied() {
            acknowledge(&message.conn, earlier, message.client_message_id.as_deref());
            let Some(member) = room.member(message.conn.id) else {
                return;
            };
            if end.lost {
                member.lose(earlier);
                message.conn.send(&lost(earlier));
            } else if !member.has_had((earlier, &end)) {
                self.replay_task(room, message, (earlier, entry));
            }
            return;
        }
        let known = room.tasks.iter().position(|task| task.id == earlier);
        let at = known.unwrap_or_else(|| {
            // Another server's, or of before this room was made.
            room.tasks.push(Task {
                unseen: true,
                ..Task::foreign(earlier, 0, None)
            });
            room.tasks.len() - 1
        });
        self.take_up(room, at, (message, entry));
        self.promise(room, at, message);
    }

    /// A task that has ended here is in the queue again, for Redis forgot it: a socket that lacks
    /// its answer gets it.
    fn runs_again(
        &self,
        room: &mut Room,
        message: &ChatMessage,
        (number, entry, end): (u64, StreamId, End),
    ) {
        let Some(member) = room.member(message.conn.id) else {
            return;
        };
        if member.has_had((number, &end)) {
            acknowledge(&message.conn, number, message.client_message_id.as_deref());
            if end.lost || member.was_told_lost(number) {
                message.conn.send(&lost(number));
            }
            return;
        }
        member.adopt(number, 0);
        let known = room.tasks.iter().position(|task| task.id == number);
        let at = known.unwrap_or_else(|| {
            room.tasks.push(Task::foreign(number, 0, None));
            room.tasks.len() - 1
        });
        self.take_up(room, at, (message, entry));
        room.acknowledge(at, message.conn.id);
    }

    /// The task at `at` is this server's to look after from now on.
    fn take_up(&self, room: &mut Room, at: usize, (message, entry): (&ChatMessage, StreamId)) {
        let task = &mut room.tasks[at];
        (task.stage, task.owner) = (Stage::Acked, message.conn.id);
        task.entry = Some(entry);
        task.silent_since_ms = clock::since_start_ms();
        if task.client_message_id.is_none() {
            task.client_message_id
                .clone_from(&message.client_message_id);
            task.user = message.conn.user;
        }
        if task.text.is_none() {
            task.text = self.text.keep(&message.text);
        }
    }

    /// Says `task_queued` of the task at `at`, and sees to it that the socket gets what came
    /// already.
    fn promise(&self, room: &mut Room, at: usize, message: &ChatMessage) {
        room.acknowledge(at, message.conn.id);
        let task = &room.tasks[at];
        let (number, first) = (task.id, task.first);
        let begun = task.unseen || task.next > 0;
        let entry = task.entry.unwrap_or_default();
        let mut members = room.members.iter();
        let member = members.find(|member| member.conn.id == message.conn.id);
        if begun && member.is_some_and(|member| !member.has(number, first)) {
            self.replay_task(room, message, (number, entry));
        }
    }

    fn replay_task(&self, room: &mut Room, message: &ChatMessage, (task, entry): (u64, StreamId)) {
        if let Some(member) = room.member(message.conn.id) {
            member.owe(task);
        }
        let message = ReplayRequest {
            conn: Arc::clone(&message.conn),
            what: What::Task(task, entry),
            client_message_id: message.client_message_id.clone(),
        };
        self.replay(room, message);
    }

    /// The task never reached the queue.
    pub(crate) fn not_queued(&self, message: &ChatMessage, number: u64) {
        let mut shard = self.shard(&message.conn.room);
        if let Some(room) = shard.get_mut(&message.conn.room) {
            forget(room, number);
        }
    }

    /// Asks for a replay; says so where that is not possible.
    pub(super) fn replay(&self, room: &mut Room, message: ReplayRequest) {
        let Err(refused) = self.replays.try_send(message) else {
            return;
        };
        let message = refused.into_inner();
        if matches!(message.what, What::After(_))
            && let Some(member) = room.member(message.conn.id)
        {
            member.paused = None;
        }
        room.refuse(&message, ("busy", "too many replays at once"));
    }
}

fn forget(room: &mut Room, number: u64) {
    room.tasks
        .retain(|task| task.id != number || task.stage != Stage::Asked);
}
