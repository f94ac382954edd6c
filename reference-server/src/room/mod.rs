//! Who is in which room, what was asked there, and what of the answers was already sent.
//!
//! **In:** sockets, acknowledged tasks, events of the channel layer. **Out:** frames on sockets. The
//! rules are those of the contract's "What a client may rely on": `task_queued` first, each event once
//! and in order, an answer whole or not at all. A message of a people chat is an answer of one event, and the admin
//! feed is a room that hears the events of all others.
//!
//! Rooms are spread over shards with a lock each; no lock is held across an await, and only one shard's at a time.

pub(crate) mod event;
mod finished;
mod member;
mod replay;
mod state;
mod task;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::clock;
use crate::defect::Defects;
use crate::frame::Frame;
use crate::metrics::Metrics;
use crate::socket::Conn;
use crate::stream_id::StreamId;
use crate::wire;

pub(crate) use event::RawEvent;
pub(crate) use replay::{Part, ReplayAsk, Replayed, What};
pub(crate) use state::Room;
pub(crate) use watch::Silent;

const SHARDS: usize = 16;

type Shard = HashMap<Arc<str>, Room>;

/// All rooms of this process: conversations, people chats, and the admin feed.
pub(crate) struct Rooms {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    /// Conversations whose subscription must be made or ended; the room itself says which.
    dirty: Mutex<BTreeSet<Arc<str>>>,
    changed: Notify,
    replays: mpsc::Sender<ReplayAsk>,
    text: task::TextBudget,
    memory: finished::Memory,
    patience: watch::Patience,
    defects: Defects,
    metrics: Arc<Metrics>,
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
        replays: mpsc::Sender<ReplayAsk>,
        terms: &Terms,
    ) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            dirty: Mutex::default(),
            changed: Notify::new(),
            replays,
            text: task::TextBudget::new(terms.text_bytes),
            memory: finished::Memory::new(clock::millis(terms.history), clock::millis(terms.ids)),
            patience: watch::Patience::new(terms.answer),
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
        let told = room.deliver(id, event, self.defects);
        match told {
            // What an admin is told was counted where it happened.
            state::Told::Sent if event.is_feed() => {}
            state::Told::Sent => {
                let seconds = event.age_s();
                self.metrics.delivery_latency.observe(seconds);
            }
            state::Told::Repeat => self.metrics.repeats.inc(),
            state::Told::Nobody => {}
        }
        if event.is_end() {
            let answered = !event.is_message() && !event.is_feed();
            if told == state::Told::Sent && answered {
                self.metrics.messages.completed.inc();
            }
            self.drop_if_idle(&mut shard, name);
        }
        drop(shard);
        if told == state::Told::Sent
            && self
                .defects
                .wrong_conversation
                .strays(event.task, event.ordinal)
        {
            self.stray((name, id), event);
        }
    }

    /// Sends an event to a room that it does not belong to; see the defect `wrong-conversation`.
    fn stray(&self, (name, id): (&str, StreamId), event: &RawEvent<'_>) {
        let Some(frame) = event.frame(id, self.defects) else {
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

    fn drop_if_idle(&self, shard: &mut Shard, name: &str) {
        if shard.get(name).is_some_and(Room::is_idle)
            && let Some((name, _)) = shard.remove_entry(name)
        {
            self.metrics.active_conversations.dec();
            self.mark(&name);
        }
    }

    fn shard(&self, name: &str) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(name);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[at])
    }
}

/// What is said of an acknowledged task that cannot be answered any more.
fn lost(task: u64) -> Frame {
    wire::Event::Error {
        error: "the answer cannot be recovered",
        code: "lost",
        retry_after: None,
        client_message_id: None,
        task_id: Some(&wire::task_id(task)),
    }
    .frame()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
