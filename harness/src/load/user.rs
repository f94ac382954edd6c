//! This module is what a goose user of the load has: what all of them share, and what one keeps between its sessions.
//!
//! **Units:** microseconds since load start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::job::{Command, Job};
use super::token::{Denied, Granted};
use crate::failure::Failure;
use crate::plan::seed::{Purpose, Stream};
use crate::plan::visit::Visit;
use crate::record::diary::{Diary, What};
use crate::record::recorder::{Recorder, Span};
use crate::stage::Stage;

/// What all users share.
#[derive(Debug)]
pub(super) struct UserContext {
    pub job: Arc<Job>,
    pub lanes: Vec<mpsc::Sender<Command>>,
    /// Records the HTTP requests.
    pub recorder: Mutex<Recorder>,
    /// Those who have arrived and whose life has not begun, by stay: goose runs a life again that returns before its
    /// Exit.
    pub arrived: Vec<Mutex<Option<Box<Life>>>>,
    /// Tells each stay, by its place, that its time has come. One for each: with one for all, every start would
    /// wake all that still wait.
    pub starts: Vec<Notify>,
    /// No life goes on after this.
    pub over: CancellationToken,
    /// Nor waits for a lane after this.
    pub stuck: CancellationToken,
    /// When the run was cancelled; `u64::MAX`: not.
    pub cancelled_us: AtomicU64,
}

/// What a life keeps between its sessions.
#[derive(Debug)]
pub(super) struct Life {
    pub visit: Visit,
    pub account: String,
    /// The access token, while it is believed good.
    pub access: Option<String>,
    /// The cookie that gets a new one without a login.
    pub refresh: Option<String>,
    pub jitter: Stream,
    /// Tries since the last session that followed a backoff.
    pub tries: u16,
    /// It had a session.
    pub was_in: bool,
    /// The last session was cut off.
    pub after_cut: bool,
    /// The connection token used last.
    pub used: Option<String>,
    /// What opens the first session, fetched on arrival.
    pub ready: Option<Result<Ready, Denied>>,
    /// Attempts that came to nothing.
    pub diary: Diary,
}

/// What opens a session.
#[derive(Debug)]
pub(super) struct Ready {
    /// When the attempt began, and when `connected` must have come.
    pub begun_us: u64,
    pub deadline_us: u64,
    pub secret: String,
    /// Opens the second socket of [`ClientDefect::RacingConnects`].
    ///
    /// [`ClientDefect::RacingConnects`]: crate::plan::ClientDefect::RacingConnects
    pub stray: Option<String>,
}

impl Life {
    pub(super) fn new(job: &Job, visit: Visit) -> Self {
        Self {
            visit,
            account: job.account(&visit),
            access: None,
            refresh: None,
            jitter: Stream::new(job.seed, Purpose::Backoff, visit.number),
            tries: 0,
            was_in: false,
            after_cut: false,
            used: None,
            ready: None,
            diary: Diary::default(),
        }
    }
}

impl UserContext {
    /// Sleeps. `false`: the run is over.
    pub(super) async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.over.cancelled() => false,
        }
    }

    /// The client of a stay is there; its life has not begun.
    pub(super) fn arrived(&self, place: usize, life: Box<Life>) {
        if let Some(Ok(mut arrived)) = self.arrived.get(place).map(Mutex::lock) {
            *arrived = Some(life);
        }
    }

    /// Lets the life of a stay begin; `None`: it has, or nobody arrived.
    pub(super) fn begin(&self, place: usize) -> Option<Box<Life>> {
        let mut arrived = self.arrived.get(place)?.lock().ok()?;
        arrived.take()
    }

    pub(super) async fn wait_for_start(&self, visit: &Visit) -> bool {
        let Some(start) = self.starts.get(visit.place as usize) else {
            return false;
        };
        tokio::select! {
            () = start.notified() => true,
            () = self.over.cancelled() => false,
        }
    }

    /// `false`: the lane is gone, or the run is over.
    pub(super) async fn tell(&self, visit: &Visit, command: Command) -> bool {
        let lane = visit.place as usize % self.lanes.len().max(1);
        let Some(lane) = self.lanes.get(lane) else {
            return false;
        };
        tokio::select! {
            sent = lane.send(command) => sent.is_ok(),
            () = self.over.cancelled() => false,
        }
    }

    pub(super) async fn leave(&self, visit: &Visit) {
        let place = visit.place;
        self.tell(visit, Command::Left { place }).await;
    }

    pub(super) fn record(&self, write: impl FnOnce(&mut Recorder)) {
        if let Ok(mut recorder) = self.recorder.lock() {
            write(&mut recorder);
        }
    }

    /// A request was answered: to whoever listens to every step.
    pub(super) fn answered(&self, what: &str, account: &str, result: &Result<Granted, Denied>) {
        let job = &self.job;
        let (Ok(Granted { repeated, .. }) | Err(Denied { repeated, .. })) = result;
        if *repeated {
            self.record(|recorder| recorder.session(job.clock.now_us()).requests_repeated += 1);
        }
        job.trace.tell(job.clock.now_us(), || match result {
            Ok(_) => format!("{what} of {account}: granted"),
            Err(denied) => format!("{what} of {account}: {}", denied.failure.text()),
        });
    }

    pub(super) fn token_answered(
        &self,
        intended_us: u64,
        asked_us: u64,
        result: &Result<Granted, Denied>,
    ) {
        let counters = &self.job.counters;
        let now_us = self.job.clock.now_us();
        self.record(|recorder| {
            let Ok(granted) = result else {
                recorder.token_request(asked_us, now_us);
                recorder.session(now_us).tokens_failed += 1;
                return;
            };
            recorder.token_request(granted.asked_us, granted.given_us);
            counters.tokens.fetch_add(1, Ordering::Relaxed);
            recorder.session(granted.given_us).tokens_ok += 1;
            let span = Span {
                intended_us,
                begun_us: granted.asked_us,
                end_us: granted.given_us,
            };
            recorder.session_stage(Stage::Token, span);
        });
    }

    /// An attempt did not reach `connected`. Once the run is over, that is its doing.
    pub(super) fn failed(&self, life: &mut Life, at_us: u64, failure: &Failure) {
        if self.over.is_cancelled() {
            return;
        }
        life.diary
            .note(at_us, What::Failed(Box::new(failure.clone())));
        self.record(|recorder| {
            recorder.session(at_us).connects_failed += 1;
            recorder.failure(at_us, failure);
        });
    }

    /// A failure that ends no attempt.
    pub(super) fn noted(&self, failure: &Failure) {
        let at_us = self.job.clock.now_us();
        self.record(|recorder| recorder.failure(at_us, failure));
    }

    pub(super) fn gave_up(&self, life: &Life, at_us: u64) {
        if self.over.is_cancelled() {
            return;
        }
        let counters = &self.job.counters;
        counters.clients_failed.fetch_add(1, Ordering::Relaxed);
        self.record(|recorder| {
            recorder.session(at_us).clients_failed += 1;
            recorder.given_up(at_us, || self.job.author(&life.visit, None, &life.diary));
        });
    }
}
