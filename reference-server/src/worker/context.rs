//! What a worker works with: its settings, its connections to Redis, and what its parts tell each
//! other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::job::{Entry, Job};
use crate::args::WorkArgs;
use crate::channel::Channel;
use crate::defect::Defects;
use crate::store::queue::{GROUP, STREAM};
use crate::store::{Database, Link, LinkError};

/// Bytes of an entry that is no task, as logged.
const SHOWN_BYTES: usize = 120;

/// How a worker works.
pub(crate) struct Settings {
    /// Its name in the group.
    pub(crate) name: String,
    /// Flags about the answers.
    pub(crate) work: WorkArgs,
    /// The queue, for a connection that may block.
    pub(crate) tasks: Database,
    /// Longest wait for one Redis command.
    pub(crate) redis_timeout: Duration,
    /// What is wrong on purpose.
    pub(crate) defects: Defects,
}

/// Its connections to the rest.
pub(crate) struct Connections {
    /// Commands to the queue.
    pub(crate) tasks: Arc<Link>,
    /// Events to the sockets.
    pub(crate) channel: Arc<Channel>,
    /// The counters.
    pub(crate) counts: Counts,
    /// The shutdown has begun.
    pub(crate) stopping: CancellationToken,
    /// The shutdown is over: what is still running ends at once.
    pub(crate) ended: CancellationToken,
}

/// What the parts of one worker share.
pub(crate) struct Context {
    pub(super) name: String,
    pub(super) work: WorkArgs,
    pub(super) tasks_at: Database,
    pub(super) redis_timeout: Duration,
    pub(super) defects: Defects,
    /// Commands to the queue.
    pub(crate) tasks: Arc<Link>,
    pub(super) channel: Arc<Channel>,
    pub(super) counts: Counts,
    /// The shutdown has begun.
    pub(crate) stopping: CancellationToken,
    pub(super) ended: CancellationToken,
    /// Places for tasks; one in flight has its place until it is acknowledged.
    places: Semaphore,
    /// Whether the circuit to Redis is closed. The pool says so, the others keep to it.
    closed: watch::Sender<bool>,
}

impl Context {
    /// For a worker without tasks.
    pub(crate) fn new(settings: Settings, connections: Connections) -> Self {
        let places = usize::try_from(settings.work.concurrency).unwrap_or(usize::MAX);
        Self {
            name: settings.name,
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            work: settings.work,
            tasks_at: settings.tasks,
            redis_timeout: settings.redis_timeout,
            defects: settings.defects,
            tasks: connections.tasks,
            channel: connections.channel,
            counts: connections.counts,
            stopping: connections.stopping,
            ended: connections.ended,
            closed: watch::Sender::new(true),
        }
    }

    /// Waits until there is a place for a task and the circuit is closed; takes up to `limit`
    /// places.
    pub(super) async fn places(&self, limit: usize) -> Places<'_> {
        let mut closed = self.closed.subscribe();
        loop {
            // Neither ends before the context does.
            if closed.wait_for(|closed| *closed).await.is_err() {
                std::future::pending::<()>().await;
            }
            let Ok(mut places) = self.places.acquire().await else {
                std::future::pending().await
            };
            if !*closed.borrow() {
                continue;
            }
            let more = self.places.available_permits().min(limit - 1);
            if let Ok(more) = self
                .places
                .try_acquire_many(u32::try_from(more).unwrap_or(0))
            {
                places.merge(more);
            }
            return Places(places);
        }
    }

    /// `count` tasks are no longer in flight.
    pub(super) fn give_back(&self, count: usize) {
        self.places.add_permits(count);
    }

    /// Takes entries that are no tasks out of the queue, or every worker would claim them for ever.
    pub(super) async fn discard(&self, entries: &[Entry]) -> Result<(), LinkError> {
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        self.remove(&ids).await?;
        for (id, fields) in entries {
            // One without fields was deleted by somebody else.
            if let Some(fields) = fields {
                self.counts.discarded.inc();
                let bytes: Vec<u8> = fields.join(&b' ').into_iter().take(SHOWN_BYTES).collect();
                let text = String::from_utf8_lossy(&bytes);
                tracing::warn!(id, ?text, "no task: taken out of the queue");
            }
        }
        Ok(())
    }

    /// Takes entries out of the group and out of the queue, and looks how long that is.
    pub(super) async fn remove(&self, ids: &[impl redis::ToRedisArgs]) -> Result<(), LinkError> {
        let mut commands = redis::pipe();
        let ack = commands.cmd("XACK").arg(STREAM).arg(GROUP).arg(ids);
        ack.ignore();
        commands.cmd("XDEL").arg(STREAM).arg(ids).ignore();
        commands.cmd("XLEN").arg(STREAM);
        let (depth,): (i64,) = self.tasks.pipe(&commands).await?;
        self.counts.queue_depth.set(depth);
        Ok(())
    }

    /// Looks how long the queue is.
    pub(super) async fn measure(&self) -> Result<(), LinkError> {
        let depth = self.tasks.run(redis::cmd("XLEN").arg(STREAM)).await?;
        self.counts.queue_depth.set(depth);
        Ok(())
    }

    /// The circuit opened or closed.
    pub(super) fn set_closed(&self, closed: bool) {
        self.counts.circuit_open.set(i64::from(!closed));
        if !closed {
            self.counts.circuit_opened.inc();
        }
        self.closed.send_replace(closed);
    }

    /// Whether the circuit is closed.
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }
}

/// Places taken and not yet used.
pub(super) struct Places<'a>(SemaphorePermit<'a>);

impl Places<'_> {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.0.num_permits()
    }

    /// Hands on what was read, each in a place of its own, and says how many those were and which
    /// others are no tasks. `Err` where nobody takes them any more.
    pub(super) async fn fill(
        mut self,
        entries: Vec<Entry>,
        found: &mpsc::Sender<Job>,
    ) -> Result<(usize, Vec<Entry>), mpsc::error::SendError<Job>> {
        let (mut filled, mut others) = (0, Vec::new());
        for entry in entries {
            let Some(job) = Job::read(&entry) else {
                others.push(entry);
                continue;
            };
            found.send(job).await?;
            filled += 1;
            if let Some(place) = self.0.split(1) {
                place.forget();
            }
        }
        Ok((filled, others))
    }
}
