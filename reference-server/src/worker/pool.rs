//! Answers thousands of tasks at once with one timer, and emits what is due together in one round
//! trip.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

use super::Context;
use super::circuit::{Change, Circuit};
use super::in_flight::{InFlight, Next, Pace};
use super::job::Job;
use crate::store::queue::{GROUP, STREAM};
use crate::store::{Gap, LinkError, StreamId, script};

/// Turns in one round trip.
const TURNS_AT_ONCE: usize = 256;
/// Round trips on their way at once.
const TRIPS: usize = 8;
/// Tasks kept hold of in one round trip.
const TOUCHED_AT_ONCE: usize = 500;
/// Until what did not go out is tried again.
const RETRY: Duration = Duration::from_millis(100);

enum Trip {
    Emitted(Vec<StreamId>, Result<(), LinkError>),
    Acknowledged(Vec<StreamId>, Result<(), LinkError>),
    /// Those that are another worker's by now.
    Touched(Result<Vec<String>, LinkError>),
}

/// The tasks in flight and what is on its way to Redis.
pub(super) struct Pool<'a> {
    context: &'a Context,
    pace: Pace,
    in_flight: InFlight,
    circuit: Circuit,
    trips: FuturesUnordered<BoxFuture<'a, Trip>>,
    /// Answered, and not yet acknowledged.
    answered: Vec<StreamId>,
    acknowledging: bool,
    /// No acknowledgement before this.
    acknowledge_after: Instant,
    emitting: Gap,
}

impl<'a> Pool<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self {
            context,
            pace: Pace {
                first_after: context.work.first_after,
                interval: context.work.chunk_interval,
            },
            in_flight: InFlight::default(),
            circuit: Circuit::default(),
            trips: FuturesUnordered::new(),
            answered: Vec::new(),
            acknowledging: false,
            acknowledge_after: Instant::now(),
            emitting: Gap::none(),
        }
    }

    /// Answers `jobs` until they end and none is in flight any more.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        // Three heartbeats within the time after which a task counts as abandoned.
        let mut heartbeat = tokio::time::interval(self.context.work.take_over_after / 3);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut open, mut batch) = (true, Vec::new());
        while open || self.in_flight.len() > 0 {
            let due = self.next_due();
            // Every arm leaves its state in `self`: nothing is lost when another one wins.
            tokio::select! {
                count = jobs.recv_many(&mut batch, TURNS_AT_ONCE), if open => {
                    open = count > 0;
                    self.take(&mut batch);
                }
                () = until(due), if self.trips.len() < TRIPS => {}
                Some(trip) = self.trips.next() => self.arrived(trip),
                _ = heartbeat.tick() => self.touch(),
            }
            self.context.slow_cpu.burn();
            self.emit();
            self.acknowledge();
            let in_hand = i64::try_from(self.in_flight.len()).unwrap_or(i64::MAX);
            self.context.counts.in_hand.set(in_hand);
        }
    }

    fn take(&mut self, jobs: &mut Vec<Job>) {
        let (chunks, now) = (self.context.work.chunks, Instant::now());
        for job in jobs.drain(..) {
            if !self.in_flight.take(job, chunks, now) {
                self.context.capacity.give_back(1);
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let held_back = !self.answered.is_empty() && !self.acknowledging;
        let acknowledge = held_back.then_some(self.acknowledge_after);
        let emit = if self.circuit.is_closed() {
            let due = self.in_flight.next_due();
            due.map(|due| due.max(self.emitting.over_at()))
        } else {
            self.circuit.try_at()
        };
        match (emit, acknowledge) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Sends everything that is due, as long as there is room on the way. Past an open circuit goes
    /// one try.
    fn emit(&mut self) {
        let now = Instant::now();
        if !self.circuit.is_closed() {
            if self.circuit.try_at().is_some_and(|at| at <= now) {
                self.circuit.try_now();
                let due = self.in_flight.due(now, TURNS_AT_ONCE);
                self.send(due);
            }
            return;
        }
        if now < self.emitting.over_at() {
            return;
        }
        while self.trips.len() < TRIPS {
            let due = self.in_flight.due(now, TURNS_AT_ONCE);
            if due.is_empty() {
                return;
            }
            self.emitting.begin(now);
            self.send(due);
        }
    }

    /// Sends one turn of each of these tasks; none at all is a question whether Redis is there.
    fn send(&mut self, due: Vec<StreamId>) {
        let mut events = Vec::with_capacity(due.len());
        for task in due.iter().filter_map(|entry| self.in_flight.get(*entry)) {
            let texts = task.answer.events(task.turn, &self.context.defects);
            events.extend(
                texts
                    .into_iter()
                    .map(|text| (Arc::clone(&task.job.conversation), text)),
            );
        }
        let channel = &self.context.channel;
        let trip = async move { Trip::Emitted(due, channel.emit(&events).await) };
        self.trips.push(trip.boxed());
    }

    fn acknowledge(&mut self) {
        let now = Instant::now();
        if self.acknowledging || self.answered.is_empty() || now < self.acknowledge_after {
            return;
        }
        self.acknowledge_after = now + Gap::LEAST;
        self.acknowledging = true;
        let entries = std::mem::take(&mut self.answered);
        let context = self.context;
        let trip = async move {
            let ids: Vec<String> = entries.iter().map(ToString::to_string).collect();
            let outcome = context.remove(&ids).await;
            Trip::Acknowledged(entries, outcome)
        };
        self.trips.push(trip.boxed());
    }

    /// Tells the group that the tasks in flight are being worked on, unless they are not.
    fn touch(&mut self) {
        let entries = self.in_flight.entries();
        if entries.is_empty() || !self.circuit.is_closed() {
            return;
        }
        let context = self.context;
        let trip = async move {
            let mut others = Vec::new();
            for part in entries.chunks(TOUCHED_AT_ONCE) {
                let mut arguments = vec![GROUP.to_owned(), context.name.clone()];
                arguments.extend(part.iter().map(ToString::to_string));
                let told = context
                    .tasks
                    .script(&script::TOUCH, &[STREAM], &arguments)
                    .await;
                match told {
                    Ok(part) => others.extend::<Vec<String>>(part),
                    Err(error) => return Trip::Touched(Err(error)),
                }
            }
            Trip::Touched(Ok(others))
        };
        self.trips.push(trip.boxed());
    }

    fn arrived(&mut self, trip: Trip) {
        let now = Instant::now();
        match trip {
            Trip::Emitted(entries, Ok(())) => {
                for entry in entries {
                    if matches!(self.in_flight.moved(entry, self.pace, now), Next::Done) {
                        self.answered.push(entry);
                    }
                }
                let change = self.circuit.worked();
                self.note(&change);
            }
            // The rooms drop what went out all the same.
            Trip::Emitted(entries, Err(error)) => {
                tracing::debug!(%error, turns = entries.len(), "not emitted");
                for entry in entries {
                    self.in_flight.again(entry, now + RETRY);
                }
                let hopeless = matches!(error, LinkError::Away(_));
                let change = self.circuit.failed(hopeless, now);
                self.note(&change);
            }
            Trip::Acknowledged(entries, Ok(())) => {
                self.acknowledging = false;
                self.context.counts.answered.inc_by(entries.len() as u64);
                self.release(&entries);
            }
            Trip::Acknowledged(entries, Err(error)) => {
                tracing::debug!(%error, tasks = entries.len(), "not acknowledged");
                self.acknowledging = false;
                self.acknowledge_after = now + RETRY;
                self.answered.extend(entries);
            }
            Trip::Touched(Ok(others)) => {
                let others: Vec<StreamId> = others
                    .iter()
                    .filter_map(|entry| entry.parse().ok())
                    .collect();
                let let_go = self.release(&others);
                self.context.counts.let_go.inc_by(let_go as u64);
            }
            Trip::Touched(Err(error)) => tracing::debug!(%error, "tasks in hand not touched"),
        }
    }

    /// Lets go of tasks; how many of them were in flight.
    fn release(&mut self, entries: &[StreamId]) -> usize {
        let mut count = 0;
        for entry in entries {
            count += usize::from(self.in_flight.release(*entry));
        }
        self.context.capacity.give_back(count);
        count
    }

    fn note(&mut self, change: &Change) {
        match change {
            Change::None => {}
            Change::Opened => {
                tracing::warn!("Redis fails: no new tasks, and those in hand wait");
                self.context.set_closed(false);
            }
            Change::Closed => {
                tracing::info!("Redis works again");
                self.context.set_closed(true);
                self.touch();
            }
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
