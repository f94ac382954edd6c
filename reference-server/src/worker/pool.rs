//! Answers thousands of tasks at once with one timer, and emits what is due together in one round trip.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

use super::hand::{Hand, Next, Pace};
use super::{GROUP, Job, STREAM};
use crate::shared::Shared;
use crate::store::LinkError;
use crate::stream_id::StreamId;

/// Tasks in hand; past this no more are taken.
const IN_HAND: usize = 20_000;
/// Turns in one round trip.
const TURNS_AT_ONCE: usize = 256;
/// Round trips on their way at once.
const TRIPS: usize = 8;
/// Until what did not go out is tried again.
const RETRY: Duration = Duration::from_millis(100);

enum Trip {
    Emitted(Vec<StreamId>, Result<(), LinkError>),
    Acknowledged(Vec<StreamId>, Result<(), LinkError>),
    Touched(Result<(), LinkError>),
}

/// The tasks in hand and what is on its way to Redis.
pub(super) struct Pool<'a> {
    shared: &'a Shared,
    name: &'a str,
    pace: Pace,
    hand: Hand,
    trips: FuturesUnordered<BoxFuture<'a, Trip>>,
    /// Answered, and not yet acknowledged.
    answered: Vec<StreamId>,
    acknowledging: bool,
    /// No acknowledgement before this.
    acknowledge_after: Instant,
}

impl<'a> Pool<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, name: &'a str) -> Self {
        let chat = &shared.config.chat;
        Self {
            shared,
            name,
            pace: Pace {
                first_after: chat.first_after,
                interval: chat.chunk_interval,
            },
            hand: Hand::default(),
            trips: FuturesUnordered::new(),
            answered: Vec::new(),
            acknowledging: false,
            acknowledge_after: Instant::now(),
        }
    }

    /// Answers `jobs` until they end and none is in hand any more.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        // Three heartbeats within the time after which a task counts as abandoned.
        let mut heartbeat = tokio::time::interval(self.shared.config.chat.take_over_after / 3);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut open, mut batch) = (true, Vec::new());
        while open || self.hand.len() > 0 {
            let due = self.next_due();
            // Every arm leaves its state in `self`: nothing is lost when another one wins.
            tokio::select! {
                count = jobs.recv_many(&mut batch, TURNS_AT_ONCE), if open && self.hand.len() < IN_HAND => {
                    open = count > 0;
                    let (chunks, now) = (self.shared.config.chat.chunks, Instant::now());
                    batch.drain(..).for_each(|job| self.hand.take(job, chunks, now));
                }
                () = until(due), if self.trips.len() < TRIPS => {}
                Some(trip) = self.trips.next() => self.arrived(trip),
                _ = heartbeat.tick() => self.touch(),
            }
            self.emit();
            self.acknowledge();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let held_back = !self.answered.is_empty() && !self.acknowledging;
        let acknowledge = held_back.then_some(self.acknowledge_after);
        match (self.hand.next_due(), acknowledge) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Sends everything that is due, as long as there is room on the way.
    fn emit(&mut self) {
        let now = Instant::now();
        while self.trips.len() < TRIPS {
            let due = self.hand.due(now, TURNS_AT_ONCE);
            if due.is_empty() {
                return;
            }
            let mut events = Vec::with_capacity(due.len());
            for task in due.iter().filter_map(|entry| self.hand.get(*entry)) {
                let texts = task.answer.events(task.turn, self.shared.config.defects);
                events.extend(
                    texts
                        .into_iter()
                        .map(|text| (Arc::clone(&task.job.conversation), text)),
                );
            }
            let channel = &self.shared.channel;
            let trip = async move { Trip::Emitted(due, channel.emit(&events).await) };
            self.trips.push(trip.boxed());
        }
    }

    fn acknowledge(&mut self) {
        if self.acknowledging || self.answered.is_empty() || Instant::now() < self.acknowledge_after
        {
            return;
        }
        self.acknowledging = true;
        let entries = std::mem::take(&mut self.answered);
        let shared = self.shared;
        let trip = async move {
            let ids: Vec<String> = entries.iter().map(ToString::to_string).collect();
            let mut commands = redis::pipe();
            commands
                .cmd("XACK")
                .arg(STREAM)
                .arg(GROUP)
                .arg(&ids)
                .ignore();
            commands.cmd("XDEL").arg(STREAM).arg(&ids).ignore();
            commands.cmd("XLEN").arg(STREAM);
            let depth: Result<(i64,), LinkError> = shared.links.tasks.pipe(&commands).await;
            let outcome = depth.map(|(depth,)| shared.metrics.queue_depth.set(depth));
            Trip::Acknowledged(entries, outcome)
        };
        self.trips.push(trip.boxed());
    }

    /// Tells the group that the tasks in hand are being worked on.
    fn touch(&mut self) {
        let entries = self.hand.entries();
        if entries.is_empty() {
            return;
        }
        let (shared, name) = (self.shared, self.name);
        let trip = async move {
            let mut commands = redis::pipe();
            for part in entries.chunks(500) {
                let ids: Vec<String> = part.iter().map(ToString::to_string).collect();
                let command = commands
                    .cmd("XCLAIM")
                    .arg(STREAM)
                    .arg(GROUP)
                    .arg(name)
                    .arg(0);
                command.arg(ids).arg("JUSTID").ignore();
            }
            Trip::Touched(shared.links.tasks.pipe(&commands).await)
        };
        self.trips.push(trip.boxed());
    }

    fn arrived(&mut self, trip: Trip) {
        let now = Instant::now();
        match trip {
            Trip::Emitted(entries, Ok(())) => {
                for entry in entries {
                    if matches!(self.hand.moved(entry, self.pace, now), Next::Done) {
                        self.answered.push(entry);
                    }
                }
            }
            // The rooms drop what went out all the same.
            Trip::Emitted(entries, Err(error)) => {
                tracing::debug!(%error, turns = entries.len(), "not emitted");
                for entry in entries {
                    self.hand.again(entry, now + RETRY);
                }
            }
            Trip::Acknowledged(entries, Ok(())) => {
                self.acknowledging = false;
                for entry in entries {
                    self.hand.release(entry);
                }
            }
            Trip::Acknowledged(entries, Err(error)) => {
                tracing::debug!(%error, tasks = entries.len(), "not acknowledged");
                self.acknowledging = false;
                self.acknowledge_after = now + RETRY;
                self.answered.extend(entries);
            }
            Trip::Touched(Ok(())) => {}
            Trip::Touched(Err(error)) => tracing::debug!(%error, "tasks in hand not touched"),
        }
    }
}

/// Waits until `due`; for ever where nothing is.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
