//! Looks after what was acknowledged, so that each has an end: whole, or known to be lost.
//!
//! A task is watched by the servers that said `task_queued` of it, and each socket has a note of
//! what it is owed. A task that is silent is queued again if its entry is gone; one that cannot be
//! helped, or takes longer than an answer may ([`Timeouts`]), is lost. What a socket is owed of a
//! task that ended without it is lost a little later.
//!
//! [`Timeouts`]: super::rooms::Timeouts

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::rooms::{Rooms, lock};
use super::state::Room;
use super::task::{Stage, Task};
use crate::clock;
use crate::store::StreamId;
use crate::wire::lost;

/// Times a task is queued again before it is given up.
const REDRIVES: u8 = 5;
/// Looks at all rooms while what a socket is owed runs out.
const LOOKS_AT_ALL: u64 = 16;
/// A question whose fate stays unknown is forgotten, and so is somebody else's task that is silent
/// and owed to nobody here.
const ASKED_MS: u64 = 60_000;

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
    /// What was asked; `None` where there was no room to keep it: such a task cannot be queued
    /// again.
    pub(crate) text: Option<Box<str>>,
}

impl Rooms {
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
            self.say_lost(room, &task);
            self.drop_if_idle(&mut shard, &silent.room);
        }
    }

    /// Acknowledged tasks silent for `after`, at most `limit`; each is named again only after
    /// another such wait. What cannot be helped is given up here.
    pub(crate) fn silent(&self, after: Duration, limit: usize) -> Vec<Silent> {
        let (now_ms, after_ms) = (clock::since_start_ms(), clock::millis(after));
        let mut found = Vec::new();
        let all = self.is_due_for_all(now_ms);
        for shard in &self.shards {
            let mut shard = lock(shard);
            let mut idle: Vec<Arc<str>> = Vec::new();
            // Of most rooms nothing is awaited, and each costs a walk through its members.
            let rooms = shard
                .iter_mut()
                .filter(|(_, room)| all || !room.tasks.is_empty());
            rooms.for_each(|(name, room)| {
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

    /// Whether the rooms without a task are to be looked at too: what their sockets are owed runs out slowly.
    fn is_due_for_all(&self, now_ms: u64) -> bool {
        let last_ms = self.looked_at_all_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(last_ms) >= self.timeouts.owed / LOOKS_AT_ALL;
        if is_due {
            self.looked_at_all_ms.store(now_ms, Ordering::Relaxed);
        }
        is_due
    }

    /// Ends what can no longer be answered.
    fn sweep_room(&self, room: &mut Room, now_ms: u64) {
        let answer_ms = self.timeouts.answer;
        let Room { members, done, .. } = room;
        // Run again for the sake of sockets that have it by now, or are gone.
        let is_owed = |task: u64| members.iter().any(|member| member.is_owed(task));
        room.tasks
            .retain(|task| done.get(task.id).is_none() || is_owed(task.id));
        let over = |task: &mut Task| {
            let age_ms = now_ms.saturating_sub(task.born_ms);
            let silent_ms = now_ms.saturating_sub(task.silent_since_ms);
            match task.stage {
                Stage::Asked => age_ms > ASKED_MS,
                // An answer may take longer than that, as long as it goes on.
                Stage::Foreign => {
                    let patient = age_ms <= answer_ms && is_owed(task.id);
                    silent_ms > answer_ms.min(ASKED_MS) && !patient
                }
                Stage::Acked => age_ms > answer_ms || task.redrives >= REDRIVES,
            }
        };
        let over: Vec<Task> = room.tasks.extract_if(.., over).collect();
        for task in over.iter().filter(|task| task.stage != Stage::Asked) {
            if task.stage == Stage::Acked || room.owes(task.id) {
                self.say_lost(room, task);
            }
        }
        self.say_overdue(room);
    }

    /// Says `lost` where a task ended and the socket it was acknowledged to did not hear of it.
    fn say_overdue(&self, room: &mut Room) {
        let alive: HashSet<u64> = room.tasks.iter().map(|task| task.id).collect();
        for member in &mut room.members {
            for task in member.overdue(|task| alive.contains(&task), self.timeouts.owed) {
                self.metrics.lost.inc();
                member.conn.send(&lost(task));
            }
        }
    }

    /// Says so to all but those who have had its end: it may have run again for the sake of others.
    fn say_lost(&self, room: &mut Room, task: &Task) {
        self.metrics.lost.inc();
        let answered = room.done.get(task.id).copied();
        if answered.is_none_or(|end| end.lost) {
            room.remember(task, true);
        }
        for member in &mut room.members {
            let has_end = member.has_ended(task.id)
                || answered.is_some_and(|end| member.has_had((task.id, &end)));
            if member.is_owed(task.id) || !has_end {
                member.conn.send(&lost(task.id));
                member.lose(task.id);
            }
        }
    }
}

impl Task {
    /// What is needed to look for it in the queue, once it is acknowledged. Where no entry is known
    /// the answer to the question was lost on its way: it counts as gone, if it can be queued
    /// again.
    fn silent(&self, room: &Arc<str>) -> Option<Silent> {
        if self.stage != Stage::Acked {
            return None;
        }
        let unknown = self.text.is_some().then(StreamId::default);
        Some(Silent {
            room: Arc::clone(room),
            task: self.id,
            entry: self.entry.or(unknown)?,
            user: self.user,
            client_message_id: self.client_message_id.clone(),
            text: self.text.as_ref().map(|kept| kept.text.clone()),
        })
    }
}
