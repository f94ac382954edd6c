//! What was asked in a room: from the question over the acknowledgement to the end of the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Rooms;
use super::event::Asker;
use super::replay::{ReplayAsk, What};
use super::state::{Room, acknowledge};
use crate::clock;
use crate::intake::Ask;
use crate::stream_id::StreamId;

/// Times a task is queued again before it is given up.
const REDRIVES: u8 = 5;
/// A question whose fate stays unknown is forgotten, and so is somebody else's task that is silent; an acknowledged task is
/// given up.
const ASKED_MS: u64 = 60_000;
const ACKED_MS: u64 = 600_000;

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
    pub(super) silent_since_ms: u64,
    /// Who asked.
    pub(super) user: u64,
    /// Sockets `task_queued` was said to.
    pub(super) told: Vec<u64>,
    text: Option<Kept>,
    entry: Option<StreamId>,
    born_ms: u64,
    redrives: u8,
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
            silent_since_ms: now_ms,
            user: 0,
            told: Vec::new(),
            text: None,
            entry: None,
            born_ms: now_ms,
            redrives: 0,
        }
    }
}

/// An acknowledged task that has been silent for long: is it still in the queue?
pub(crate) struct Silent {
    /// Its room.
    pub(crate) room: Arc<str>,
    /// Its number.
    pub(crate) task: u64,
    /// Its entry in the queue.
    pub(crate) entry: StreamId,
    /// Who asked.
    pub(crate) user: u64,
    /// The id the message had.
    pub(crate) client_message_id: Option<Box<str>>,
    /// What was asked; `None` where there was no room to keep it: such a task cannot be queued again.
    pub(crate) text: Option<Box<str>>,
}

/// Bounds the text kept for queueing again.
pub(super) struct TextBudget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Text within the budget; gives its bytes back when it is dropped.
struct Kept {
    text: Box<str>,
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
    /// Notes a question before it goes to the queue, so that no event can overtake `task_queued`. Returns the task's number: the
    /// earlier one where the same message was asked before and nobody knows whether it arrived.
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
        let Some(at) = room.tasks.iter().position(|task| task.id == number) else {
            return;
        };
        let task = &mut room.tasks[at];
        task.entry = Some(entry);
        task.silent_since_ms = clock::since_start_ms();
        let said = task.stage == Stage::Acked && task.owner == ask.conn.id;
        (task.stage, task.owner) = (Stage::Acked, ask.conn.id);
        if !said {
            room.acknowledge(at, ask.conn.id);
        }
    }

    /// The message was asked before as `earlier`: says `task_queued` with that task again, and sends what this
    /// socket has not had of its answer.
    pub(crate) fn repeated(&self, ask: &Ask, number: u64, (earlier, entry): (u64, StreamId)) {
        self.metrics.messages.repeated.inc();
        // Under the lock: an event must not come between this and the note of it.
        let mut shard = self.shard(&ask.conn.room);
        acknowledge(&ask.conn, earlier, ask.client_message_id.as_deref());
        let Some(room) = shard.get_mut(&ask.conn.room) else {
            return;
        };
        if earlier != number {
            forget(room, number);
        }
        let known = room.tasks.iter_mut().find(|task| task.id == earlier);
        let (begun, first) = if let Some(task) = known {
            (task.stage, task.owner) = (Stage::Acked, ask.conn.id);
            task.entry.get_or_insert(entry);
            task.note_told(ask.conn.id);
            (task.next > 0, task.first)
        } else {
            let done = room.done.iter().find(|(task, _)| *task == earlier);
            let first = done.and_then(|(_, first)| *first);
            if done.is_none()
                && let Some(member) = room.member(ask.conn.id)
            {
                member.note_told(earlier);
            }
            (true, first)
        };
        let member = room
            .members
            .iter()
            .find(|member| member.conn.id == ask.conn.id);
        let has = member.is_none_or(|member| member.has(earlier, first));
        if begun && !has {
            let ask = ReplayAsk {
                conn: Arc::clone(&ask.conn),
                what: What::Task(earlier, entry),
                client_message_id: ask.client_message_id.clone(),
            };
            self.replay(room, ask);
        }
    }

    /// The task never reached the queue.
    pub(crate) fn not_queued(&self, ask: &Ask, number: u64) {
        let mut shard = self.shard(&ask.conn.room);
        if let Some(room) = shard.get_mut(&ask.conn.room) {
            forget(room, number);
        }
    }

    /// A task was queued again as `entry`.
    pub(crate) fn redriven(&self, silent: &Silent, entry: StreamId) {
        self.metrics.redriven.inc();
        let mut shard = self.shard(&silent.room);
        let Some(room) = shard.get_mut(&silent.room) else {
            return;
        };
        if let Some(task) = room.tasks.iter_mut().find(|task| task.id == silent.task) {
            task.entry = Some(entry);
            task.redrives += 1;
        }
    }

    /// A task is gone from the queue and cannot be queued again: says so.
    pub(crate) fn given_up(&self, silent: &Silent) {
        let mut shard = self.shard(&silent.room);
        let Some(room) = shard.get_mut(&silent.room) else {
            return;
        };
        if let Some(at) = room.tasks.iter().position(|task| task.id == silent.task) {
            let task = room.tasks.swap_remove(at);
            room.remember(task.id, task.first);
            self.say_lost(room, task.id);
            self.drop_if_idle(&mut shard, &silent.room);
        }
    }

    /// Acknowledged tasks silent for `after`, at most `limit`; each is named again only after another such wait. Tasks
    /// that cannot be helped are given up here.
    pub(crate) fn silent(&self, after: Duration, limit: usize) -> Vec<Silent> {
        let (now_ms, after_ms) = (clock::since_start_ms(), clock::millis(after));
        let mut found = Vec::new();
        for shard in &self.shards {
            let mut shard = super::lock(shard);
            let mut idle: Vec<Arc<str>> = Vec::new();
            shard.iter_mut().for_each(|(name, room)| {
                let before = room.tasks.len();
                self.sweep_room(room, now_ms);
                for task in &mut room.tasks {
                    let silent = now_ms.saturating_sub(task.silent_since_ms) >= after_ms;
                    if silent
                        && found.len() < limit
                        && let Some(silent) = task.silent(name)
                    {
                        task.silent_since_ms = now_ms;
                        found.push(silent);
                    }
                }
                if room.tasks.len() < before {
                    idle.push(Arc::clone(name));
                }
            });
            for name in idle {
                self.drop_if_idle(&mut shard, &name);
            }
        }
        found
    }

    /// Ends what can no longer be answered.
    fn sweep_room(&self, room: &mut Room, now_ms: u64) {
        let mut lost = Vec::new();
        room.tasks.retain(|task| {
            let age_ms = now_ms.saturating_sub(task.born_ms);
            let silent_ms = now_ms.saturating_sub(task.silent_since_ms);
            let over = match task.stage {
                Stage::Asked => age_ms > ASKED_MS,
                // An answer may take longer than that, as long as it goes on.
                Stage::Foreign => silent_ms > ASKED_MS,
                Stage::Acked => age_ms > ACKED_MS || task.redrives >= REDRIVES,
            };
            if over && task.stage == Stage::Acked {
                lost.push((task.id, task.first));
            }
            !over
        });
        for (task, first) in lost {
            room.remember(task, first);
            self.say_lost(room, task);
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
        ask.refuse("busy", "too many replays at once");
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

    /// `task_queued` was said to a socket.
    pub(super) fn note_told(&mut self, conn: u64) {
        if !self.told.contains(&conn) {
            self.told.push(conn);
        }
    }

    /// What is needed to look for it in the queue, once it is acknowledged.
    fn silent(&self, room: &Arc<str>) -> Option<Silent> {
        let (Stage::Acked, Some(entry)) = (self.stage, self.entry) else {
            return None;
        };
        Some(Silent {
            room: Arc::clone(room),
            task: self.id,
            entry,
            user: self.user,
            client_message_id: self.client_message_id.clone(),
            text: self.text.as_ref().map(|kept| kept.text.clone()),
        })
    }
}

fn forget(room: &mut Room, number: u64) {
    room.tasks
        .retain(|task| task.id != number || task.stage != Stage::Asked);
}
