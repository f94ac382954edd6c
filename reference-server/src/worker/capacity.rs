//! How many tasks a worker may take: its places, and none while the circuit to Redis is open.

use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};

use super::job::{Entry, Job};

/// What may be taken from the queue.
pub(crate) struct Capacity {
    /// Places for tasks; one in flight has its place until it is acknowledged.
    places: Semaphore,
    /// Whether the circuit to Redis is closed. The pool says so, the others keep to it.
    pub(super) closed: watch::Sender<bool>,
}

impl Capacity {
    /// So many tasks at once.
    pub(crate) fn new(tasks: u32) -> Self {
        let places = usize::try_from(tasks).unwrap_or(usize::MAX);
        Self {
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            closed: watch::Sender::new(true),
        }
    }

    /// Waits until there is a place for a task and the circuit is closed; takes up to `limit`
    /// places.
    pub(super) async fn places(&self, limit: usize) -> Places<'_> {
        let mut closed = self.closed.subscribe();
        loop {
            // Neither ends before the worker does.
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
