//! This module is what the clients of a load share with the goose users, and what one keeps between its sessions.
//!
//! **Units:** microseconds since load start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::denied::Denied;
use super::errand::{Errand, Keys, Ready};
use super::job::{Command, Job};
use super::token::Granted;
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
    /// To whichever goose user is free.
    pub errands: (flume::Sender<Errand>, flume::Receiver<Errand>),
    /// No client is left: the users may go.
    pub finished: CancellationToken,
    /// No life goes on after this.
    pub over: CancellationToken,
    /// Nor waits for a lane after this.
    pub stuck: CancellationToken,
    /// When the run was cancelled; `u64::MAX`: not.
    pub cancelled_us: AtomicU64,
    /// When the load began, by the wall clock; 0: it has not.
    pub begun_wall_ns: AtomicU64,
}

/// What a life keeps between its sessions.
#[derive(Debug)]
pub(super) struct Life {
    pub visit: Visit,
    pub keys: Keys,
    pub jitter: Stream,
    /// Tries since the last session that followed a backoff.
    pub tries: u16,
    /// It had a session.
    pub was_in: bool,
    /// The last session was cut off.
    pub after_cut: bool,
    /// Attempts that came to nothing.
    pub diary: Diary,
}

impl Life {
    pub(super) fn new(job: &Job, visit: Visit) -> Self {
        Self {
            visit,
            keys: Keys::default(),
            jitter: Stream::new(job.seed, Purpose::Backoff, visit.number),
            tries: 0,
            was_in: false,
            after_cut: false,
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

    /// Has a goose user get what opens a session.
    pub(super) async fn ready(&self, life: &mut Life, intended_us: u64) -> Result<Ready, Denied> {
        let (reply, answer) = oneshot::channel();
        let errand = Errand {
            visit: life.visit,
            keys: std::mem::take(&mut life.keys),
            after_cut: life.after_cut,
            intended_us,
            begun_us: self.job.clock.now_us(),
            reply,
        };
        // Where there is no room nobody asks any more, and the errand is dropped with its reply.
        drop(self.errands.0.try_send(errand));
        let answer = tokio::select! {
            answer = answer => answer.ok(),
            () = self.over.cancelled() => None,
        };
        let (keys, ready) = answer.ok_or_else(Denied::unsent)?;
        life.keys = keys;
        ready
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
    pub(super) fn answered(&self, what: &str, visit: &Visit, result: &Result<Granted, Denied>) {
        let job = &self.job;
        let (Ok(Granted { repeated, .. }) | Err(Denied { repeated, .. })) = result;
        if *repeated {
            self.record(|recorder| recorder.session(job.clock.now_us()).requests_repeated += 1);
        }
        job.trace.tell(job.clock.now_us(), || {
            let account = job.account(visit);
            match result {
                Ok(_) => format!("{what} of {account}: granted"),
                Err(denied) => format!("{what} of {account}: {}", denied.failure.text()),
            }
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
