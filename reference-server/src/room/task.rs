//! What was asked in a room: from the question over the acknowledgement to the end of the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::event::Asker;
use super::finished::End;
use super::replay::{ReplayAsk, What};
use super::state::{Room, acknowledge};
use super::{Rooms, lost};
use crate::clock;
use crate::intake::Ask;
use crate::stream_id::StreamId;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Sent to the queue; not known whether it arrived.
    Asked,
    /// `task_queued` was said: it must be answered.
    Acked,
    /// Asked through another socket's server, or before this room existed.
    Foreign,
}

/// A task that is not finished.
pub(crate) struct Task {
    pub(super) id: u64,
    pub(super) stage: Stage,
    /// The socket that asked last.
    pub(super) owner: u64,
    pub(super) client_message_id: Option<Box<str>>,
    /// When its first event came; `None` until then, or where that was missed.
    pub(super) first: Option<StreamId>,
    /// The ordinal that comes next.
    pub(super) next: u32,
    /// Known by its name alone: which ordinal comes next is known when the first one came.
    pub(super) unseen: bool,
    pub(super) silent_since_ms: u64,
    /// Who asked.
    pub(super) user: u64,
    /// What was asked, to queue it again.
    pub(super) text: Option<Kept>,
    /// Its place in the queue, as far as it is known.
    pub(super) entry: Option<StreamId>,
    pub(super) born_ms: u64,
    pub(super) redrives: u8,
}

impl Task {
    pub(super) fn foreign(id: u64, next: u32, first: Option<StreamId>) -> Self {
        let now_ms = clock::since_start_ms();
        Self {
            id,
            stage: Stage::Foreign,
            owner: 0,
            client_message_id: None,
            first,
            next,
            unseen: false,
            silent_since_ms: now_ms,
            user: 0,
            text: None,
            entry: None,
            born_ms: now_ms,
            redrives: 0,
        }
    }
}

/// Bounds the text kept for queueing again.
pub(super) struct TextBudget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Text within the budget; gives its bytes back when it is dropped.
pub(super) struct Kept {
    pub(super) text: Box<str>,
    used: Arc<AtomicUsize>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.text.len(), Ordering::Relaxed);
    }
}

impl TextBudget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// A copy of `text`, where there is room for it.
    fn keep(&self, text: &str) -> Option<Kept> {
        let before = self.used.fetch_add(text.len(), Ordering::Relaxed);
        let kept = Kept {
            text: text.into(),
            used: Arc::clone(&self.used),
        };
        (before + text.len() <= self.limit).then_some(kept)
    }
}

impl Rooms {
    /// Notes a question before it goes to the queue, so that no event can overtake `task_queued`. The task's number is the
    /// earlier one where the same message was asked before: it goes on, has ended, or nobody knows whether it arrived.
    pub(crate) fn ask(&self, ask: &Ask) -> u64 {
        let mut shard = self.shard(&ask.conn.room);
        let Some(room) = shard.get_mut(&ask.conn.room) else {
            return rand::random();
        };
        let (id, user) = (&ask.client_message_id, ask.conn.user);
        let same =
            |task: &&mut Task| id.is_some() && task.client_message_id == *id && task.user == user;
        if let Some(task) = room.tasks.iter_mut().find(same) {
            // Whoever asks last hears of it first.
            if task.stage == Stage::Asked {
                task.owner = ask.conn.id;
            }
            return task.id;
        }
        // Where Redis forgot it, it runs again under its number: those who had its answer get nothing of that.
        let question = id
            .as_deref()
            .map(|id| room.done.memory().question(user, id));
        let finished = question.and_then(|question| room.done.answer_to(question));
        if let Some(task) = finished.filter(|_| self.defects.remembers_ids()) {
            return task;
        }
        let task = Task {
            stage: Stage::Asked,
            owner: ask.conn.id,
            client_message_id: ask.client_message_id.clone(),
            user,
            text: self.text.keep(&ask.text),
            ..Task::foreign(rand::random(), 0, None)
        };
        let number = task.id;
        room.tasks.push(task);
        number
    }

    /// The task is in the queue as `entry`: says `task_queued`, unless an event was faster.
    pub(crate) fn queued(&self, ask: &Ask, number: u64, entry: StreamId) {
        self.metrics.messages.queued.inc();
        let mut shard = self.shard(&ask.conn.room);
        let Some(room) = shard.get_mut(&ask.conn.room) else {
            return;
        };
        if let Some(end) = room.done.get(number).copied() {
            return self.runs_again(room, ask, (number, entry, end));
        }
        let Some(at) = room.tasks.iter().position(|task| task.id == number) else {
            return;
        };
        let task = &room.tasks[at];
        let told = room
            .members
            .iter()
            .any(|member| member.conn.id == ask.conn.id && member.is_owed(number));
        let said = task.stage == Stage::Acked && task.entry.is_none() && told;
        self.take_up(room, at, (ask, entry));
        if !said {
            self.promise(room, at, ask);
        }
    }

    /// The message was asked before as `earlier`: says `task_queued` with that task again, and sends what this
    /// socket has not had of its answer.
    pub(crate) fn repeated(&self, ask: &Ask, number: u64, (earlier, entry): (u64, StreamId)) {
        self.metrics.messages.repeated.inc();
        // Under the lock: an event must not come between this and the note of it.
        let mut shard = self.shard(&ask.conn.room);
        let Some(room) = shard.get_mut(&ask.conn.room) else {
            return;
        };
        if earlier != number {
            forget(room, number);
        }
        if let Some(member) = room.member(ask.conn.id)
            && member.has_ended(earlier)
        {
            // Whatever became of it for others since.
            acknowledge(&ask.conn, earlier, ask.client_message_id.as_deref());
            if member.was_told_lost(earlier) {
                ask.conn.send(&lost(earlier));
            }
            return;
        }
        if let Some(end) = room.done.get(earlier).copied() {
            acknowledge(&ask.conn, earlier, ask.client_message_id.as_deref());
            let Some(member) = room.member(ask.conn.id) else {
                return;
            };
            if end.lost {
                member.lose(earlier);
                ask.conn.send(&lost(earlier));
            } else if !member.has_had((earlier, &end)) {
                self.replay_task(room, ask, (earlier, entry));
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
        self.take_up(room, at, (ask, entry));
        self.promise(room, at, ask);
    }

    /// A task that has ended here is in the queue again, for Redis forgot it: a socket that lacks its answer gets it.
    fn runs_again(&self, room: &mut Room, ask: &Ask, (number, entry, end): (u64, StreamId, End)) {
        let Some(member) = room.member(ask.conn.id) else {
            return;
        };
        if member.has_had((number, &end)) {
            acknowledge(&ask.conn, number, ask.client_message_id.as_deref());
            if end.lost || member.was_told_lost(number) {
                ask.conn.send(&lost(number));
            }
            return;
        }
        member.adopt(number, 0);
        let known = room.tasks.iter().position(|task| task.id == number);
        let at = known.unwrap_or_else(|| {
            room.tasks.push(Task::foreign(number, 0, None));
            room.tasks.len() - 1
        });
        self.take_up(room, at, (ask, entry));
        room.acknowledge(at, ask.conn.id);
    }

    /// The task at `at` is this server's to look after from now on.
    fn take_up(&self, room: &mut Room, at: usize, (ask, entry): (&Ask, StreamId)) {
        let task = &mut room.tasks[at];
        (task.stage, task.owner) = (Stage::Acked, ask.conn.id);
        task.entry = Some(entry);
        task.silent_since_ms = clock::since_start_ms();
        if task.client_message_id.is_none() {
            task.client_message_id.clone_from(&ask.client_message_id);
            task.user = ask.conn.user;
        }
        if task.text.is_none() {
            task.text = self.text.keep(&ask.text);
        }
    }

    /// Says `task_queued` of the task at `at`, and sees to it that the socket gets what came already.
    fn promise(&self, room: &mut Room, at: usize, ask: &Ask) {
        room.acknowledge(at, ask.conn.id);
        let task = &room.tasks[at];
        let (number, first) = (task.id, task.first);
        let begun = task.unseen || task.next > 0;
        let entry = task.entry.unwrap_or_default();
        let mut members = room.members.iter();
        let member = members.find(|member| member.conn.id == ask.conn.id);
        if begun && member.is_some_and(|member| !member.has(number, first)) {
            self.replay_task(room, ask, (number, entry));
        }
    }

    fn replay_task(&self, room: &mut Room, ask: &Ask, (task, entry): (u64, StreamId)) {
        if let Some(member) = room.member(ask.conn.id) {
            member.owe(task);
        }
        let ask = ReplayAsk {
            conn: Arc::clone(&ask.conn),
            what: What::Task(task, entry),
            client_message_id: ask.client_message_id.clone(),
        };
        self.replay(room, ask);
    }

    /// The task never reached the queue.
    pub(crate) fn not_queued(&self, ask: &Ask, number: u64) {
        let mut shard = self.shard(&ask.conn.room);
        if let Some(room) = shard.get_mut(&ask.conn.room) {
            forget(room, number);
        }
    }

    /// Asks for a replay; says so where that is not possible.
    pub(super) fn replay(&self, room: &mut Room, ask: ReplayAsk) {
        let Err(refused) = self.replays.try_send(ask) else {
            return;
        };
        let ask = refused.into_inner();
        if matches!(ask.what, What::After(_))
            && let Some(member) = room.member(ask.conn.id)
        {
            member.paused = None;
        }
        room.refuse(&ask, ("busy", "too many replays at once"));
    }
}

impl Task {
    /// Notes who asked, where another instance took the message.
    pub(super) fn asked_by(&mut self, asker: Option<Asker<'_>>) {
        if self.client_message_id.is_none()
            && let Some(asker) = asker
        {
            self.user = asker.user;
            self.client_message_id = asker.client_message_id();
        }
    }
}

fn forget(room: &mut Room, number: u64) {
    room.tasks
        .retain(|task| task.id != number || task.stage != Stage::Asked);
}
