//! This module keeps what a lane records where it can be had without the lane.
//!
//! **In:** the lane's writing. **Out:** its [`Recording`], also of a lane that is stuck or gone. The lock is the
//! lane's own until then, so nobody ever waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crate::load::job::Job;
use crate::record::recorder::Recorder;
use crate::record::recording::Recording;

/// How often a lane that is stuck is asked whether it writes just now, and how long between.
const ASKS: u32 = 50;
const BETWEEN_ASKS: Duration = Duration::from_millis(10);

/// The recorder of one lane; copies are of the same.
#[derive(Clone, Debug)]
pub(super) struct Notebook(Arc<Mutex<Recorder>>);

impl Notebook {
    pub(super) fn new(job: &Job) -> Self {
        let recorder = Recorder::new(
            job.interval_us,
            Arc::clone(&job.board),
            Arc::clone(&job.counters),
        );
        Self(Arc::new(Mutex::new(recorder)))
    }

    /// For the lane itself.
    pub(super) fn open(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in it so far; `None`: whoever is stuck is stuck while it writes.
    pub(super) async fn take(&self) -> Option<Recording> {
        for _ in 0..ASKS {
            match self.0.try_lock() {
                Ok(mut recorder) => return Some(recorder.take()),
                Err(TryLockError::Poisoned(recorder)) => return Some(recorder.into_inner().take()),
                Err(TryLockError::WouldBlock) => {}
            }
            tokio::time::sleep(BETWEEN_ASKS).await;
        }
        None
    }
}
