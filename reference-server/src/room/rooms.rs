//! All rooms of a process: joined, left, and delivered to.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::event::RawEvent;
use super::finished::Memory;
use super::replay_request::ReplayRequest;
use super::state::{Delivery, Room};
use super::task::TextBudget;
use crate::clock;
use crate::defect::Defects;
use crate::metrics::Metrics;
use crate::socket::Conn;
use crate::store::StreamId;

/// Longest time from the end of a task to `lost` on a socket that did not get it, in ms.
const OWED_MS: u64 = 30_000;
const SHARDS: usize = 16;

type Shard = HashMap<Arc<str>, Room>;

/// All rooms of this process: conversations, people chats, and the admin feed.
pub(crate) struct Rooms {
    hasher: RandomState,
    pub(super) shards: [Mutex<Shard>; SHARDS],
    /// Conversations whose subscription must be made or ended; the room itself says which.
    dirty: Mutex<BTreeSet<Arc<str>>>,
    changed: Notify,
    pub(super) replays: mpsc::Sender<ReplayRequest>,
    pub(super) text: TextBudget,
    pub(super) memory: Memory,
    pub(super) timeouts: Timeouts,
    /// When the rooms without a task were looked at last, in ms since the start.
    pub(super) looked_at_all_ms: AtomicU64,
    pub(super) defects: Defects,
    pub(super) metrics: Arc<Metrics>,
}

/// How long an acknowledgement may be without an end, in ms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// From the question to the end of its answer.
    pub(super) answer: u64,
    /// From the end of a task to its end on a socket that did not get it: [`OWED_MS`], or as long
    /// as an answer may take.
    pub(super) owed: u64,
}

impl Timeouts {
    fn new(answer: Duration) -> Self {
        Self {
            answer: clock::millis(answer),
            owed: clock::millis(answer).min(OWED_MS),
        }
    }
}

/// What all rooms together are held to.
pub(crate) struct Terms {
    /// Bytes of messages kept, so that tasks can be queued again.
    pub(crate) text_bytes: usize,
    /// How long the id of a message is remembered.
    pub(crate) ids: Duration,
    /// How long a history outlives its last event.
    pub(crate) history: Duration,
    /// From a question to the end of its answer.
    pub(crate) answer: Duration,
}

impl Rooms {
    /// No rooms yet. Requests to replay go to `replays`.
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        defects: Defects,
        replays: mpsc::Sender<ReplayRequest>,
        terms: &Terms,
    ) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            dirty: Mutex::default(),
            changed: Notify::new(),
            replays,
            text: TextBudget::new(terms.text_bytes),
            memory: Memory::new(clock::millis(terms.history), clock::millis(terms.ids)),
            timeouts: Timeouts::new(terms.answer),
            looked_at_all_ms: AtomicU64::new(0),
            defects,
            metrics,
        }
    }

    /// Adds a socket; `connected` is said as soon as its room is subscribed to.
    pub(crate) fn join(&self, conn: &Arc<Conn>) {
        let mut shard = self.shard(&conn.room);
        let room = shard.entry(Arc::clone(&conn.room)).or_insert_with(|| {
            self.metrics.active_conversations.inc();
            Room::new(&self.memory)
        });
        if room.join(conn) {
            conn.open();
        } else {
            self.mark(&conn.room);
        }
    }

    /// Takes a socket out.
    pub(crate) fn leave(&self, conn: &Conn) {
        let mut shard = self.shard(&conn.room);
        if let Some(room) = shard.get_mut(&conn.room) {
            room.leave(conn.id);
            self.drop_if_idle(&mut shard, &conn.room);
        }
    }

    /// The subscription stands, and `last` is the newest entry it will not deliver.
    pub(crate) fn subscribed(&self, name: &str, last: StreamId) {
        if let Some(room) = self.shard(name).get_mut(name) {
            room.subscribed(last);
        }
    }

    /// The subscriptions are gone and were lost before they were ever confirmed: those sockets end.
    pub(crate) fn refuse_pending(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.values_mut().for_each(Room::refuse_pending);
        }
    }

    /// Delivers an event to the sockets that are to have it.
    pub(crate) fn deliver(&self, name: &str, id: StreamId, text: &str) {
        let Some(event) = RawEvent::parse(name, text) else {
            tracing::debug!(room = name, "an event of no known form");
            return;
        };
        let event = &event;
        let mut shard = self.shard(name);
        let Some(room) = shard.get_mut(name) else {
            return;
        };
        let delivery = room.deliver(id, event, &self.defects);
        match delivery {
            // What an admin is told was counted where it happened.
            Delivery::Sent if event.is_feed() => {}
            Delivery::Sent => {
                let seconds = event.age_s();
                self.metrics.delivery_latency.observe(seconds);
            }
            Delivery::Repeat => self.metrics.repeats.inc(),
            Delivery::Nobody => {}
        }
        if event.is_end() {
            let answered = !event.is_message() && !event.is_feed();
            if delivery == Delivery::Sent && answered {
                self.metrics.messages.completed.inc();
            }
            self.drop_if_idle(&mut shard, name);
        }
        drop(shard);
        if delivery == Delivery::Sent && self.defects.strays(event.task, event.ordinal) {
            self.stray((name, id), event);
        }
    }

    /// Sends an event to a room that it does not belong to; see the defect `wrong-conversation`.
    fn stray(&self, (name, id): (&str, StreamId), event: &RawEvent<'_>) {
        let Some(frame) = event.frame(id, &self.defects) else {
            return;
        };
        let kind = name.split(':').next();
        let is_other = |(other, room): &(&Arc<str>, &Room)| {
            &***other != name && other.split(':').next() == kind && room.has_members()
        };
        for shard in &self.shards {
            if let Some((_, room)) = lock(shard).iter().find(is_other) {
                return room.send_all(&frame);
            }
        }
    }

    /// Names of conversations whose subscription must change: those to make, and those to end.
    pub(crate) fn changes(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let dirty = std::mem::take(&mut *lock(&self.dirty));
        let (mut make, mut end) = (Vec::new(), Vec::new());
        for name in dirty {
            let state = self.shard(&name).get(&name).map(Room::is_subscribed);
            match state {
                Some(false) => make.push(name),
                Some(true) => {}
                None => end.push(name),
            }
        }
        (make, end)
    }

    /// Waits until [`Rooms::changes`] has something.
    pub(crate) async fn wait_for_changes(&self) {
        self.changed.notified().await;
    }

    /// Every conversation, and the last entry delivered where it is subscribed to.
    pub(crate) fn cursors(&self) -> Vec<(Arc<str>, Option<StreamId>)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(
                lock(shard)
                    .iter()
                    .map(|(name, room)| (Arc::clone(name), room.cursor())),
            );
        }
        all
    }

    fn mark(&self, name: &Arc<str>) {
        lock(&self.dirty).insert(Arc::clone(name));
        self.changed.notify_one();
    }

    /// Forgets a room without sockets and tasks.
    pub(super) fn drop_if_idle(&self, shard: &mut Shard, name: &str) {
        if shard.get(name).is_some_and(Room::is_idle)
            && let Some((name, _)) = shard.remove_entry(name)
        {
            self.metrics.active_conversations.dec();
            self.mark(&name);
        }
    }

    pub(super) fn shard(&self, name: &str) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(name);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[at])
    }
}

/// Locks, whatever became of the last who did.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
