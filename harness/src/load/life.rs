//! This module is the life of one goose user: one client during one stay.
//!
//! **In:** its place in the order of starts. **Out:** nothing; its sessions run on a lane.
//!
//! ```text
//! wait for the start → login → [ token → session on a lane ] again and again → wait for goose's Exit
//! ```
//!
//! A session whose credential ends soon goes on while its successor is opened, which then takes its place.
//!
//! The client model is that of the wire contract, section 6: after an abnormal close a new token,
//! exponential backoff, a bounded number of tries, then it gives up. The `Retry-After` of a refused request or
//! upgrade is added to the backoff, so that a client does not use up its tries in an outage it was told of. One that
//! never had a session by the end of its stay has given up too.
//!
//! goose does not interrupt a transaction, and runs one that returns early again at once. So a life
//! ends by the plan's clock, and one that is over waits for goose's signal in small steps.
//!
//! **Units:** microseconds since load start.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goose::goose::GooseUser;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::defect;
use super::job::{Command, Job, SessionEnd};
use super::session::{Attempt, attempt};
use super::token::{Denied, Granted};
use crate::failure::Failure;
use crate::plan::seed::{Purpose, Stream};
use crate::plan::visit::Visit;
use crate::record::diary::{Diary, What};
use crate::record::recorder::{Recorder, Span};
use crate::stage::Stage;

/// How often a life that is over lets goose look for its Exit.
const PARKED: Duration = Duration::from_millis(250);
/// The same when the run is ending.
const PARKED_AT_END: Duration = Duration::from_millis(20);

/// What all lives share.
#[derive(Debug)]
pub(super) struct Society {
    pub job: Arc<Job>,
    pub lanes: Vec<mpsc::Sender<Command>>,
    /// The notebook of the HTTP requests.
    pub desk: Mutex<Recorder>,
    /// Stays whose life has begun: goose runs a life again that returns before its Exit.
    pub begun: Vec<AtomicBool>,
    /// How many stays have begun by the clock.
    pub started: watch::Receiver<u32>,
    /// No life goes on after this.
    pub over: CancellationToken,
    /// Nor waits for a lane after this.
    pub stuck: CancellationToken,
    /// When the run was cancelled; `u64::MAX`: not.
    pub cancelled_us: AtomicU64,
}

/// What a life keeps between its sessions.
pub(super) struct Life {
    pub visit: Visit,
    pub account: String,
    /// The access token, while it is believed good.
    pub access: Option<String>,
    /// The cookie that gets a new one without a login.
    pub refresh: Option<String>,
    pub jitter: Stream,
    /// Tries since the last session that followed a backoff.
    tries: u16,
    /// It had a session.
    pub was_in: bool,
    /// The last session was cut off.
    pub after_cut: bool,
    /// The connection token used last.
    pub used: Option<String>,
    /// Attempts that came to nothing.
    diary: Diary,
}

/// Lives the life of a goose user, once; returns at once when it is over.
pub(super) async fn live(user: &mut GooseUser, society: &Society) {
    let place = user.weighted_users_index;
    let visit = society.job.visits.get(place).copied();
    let first_time = society
        .begun
        .get(place)
        .is_some_and(|begun| !begun.swap(true, Ordering::Relaxed));
    let Some(visit) = visit.filter(|_| first_time) else {
        return Box::pin(park(society, visit)).await;
    };
    // Boxed, here and below: goose holds a user's future, as large as its largest wait, for life.
    if !Box::pin(society.wait_for_start(&visit)).await {
        return;
    }
    Box::pin(stay(user, society, visit)).await;
    Box::pin(society.leave(&visit)).await;
    // A client that gave up keeps its place until its stay is over: the run lasts as long as its
    // plan, and goose's own plan may be over before.
    Box::pin(society.sleep(society.job.clock.until(visit.end_us))).await;
}

/// Waits until goose may have something to say.
async fn park(society: &Society, visit: Option<Visit>) {
    let now_us = society.job.clock.now_us();
    let rest = match visit {
        Some(visit) if now_us < visit.end_us => society.job.clock.until(visit.end_us),
        _ => PARKED,
    };
    if society.over.is_cancelled() {
        tokio::time::sleep(PARKED_AT_END).await;
    } else {
        society.sleep(rest).await;
    }
}

/// Points a user's HTTP requests at its share of the target.
fn aim(user: &mut GooseUser, job: &Job, visit: &Visit) {
    if let Some(base) = job.http_base(visit)
        && user.set_base_url(&base).is_err()
    {
        tracing::error!(
            base,
            "is no URL: this client's HTTP goes where the first one's does"
        );
    }
    user.client = job.target.requests.kept.clone();
}

async fn stay(user: &mut GooseUser, society: &Society, visit: Visit) {
    let job = &society.job;
    aim(user, job, &visit);
    let mut life = Life::new(job, visit);
    let mut intended_us = visit.start_us;
    while !society.over.is_cancelled() {
        let attempt = attempt(user, society, &mut life, intended_us).await;
        let now_us = job.clock.now_us();
        let (from_us, asked_us, idle) = match attempt {
            Attempt::Ended(SessionEnd::Finished | SessionEnd::HandedOver) => return,
            Attempt::Ended(SessionEnd::ComeBack { at_us, renew }) => {
                life.was_in = true;
                life.tries = 0;
                life.after_cut = false;
                if renew {
                    life.access = None;
                }
                intended_us = at_us;
                continue;
            }
            Attempt::Ended(SessionEnd::Cut {
                at_us,
                idle,
                fruitless,
            }) => {
                if !fruitless {
                    life.was_in = true;
                    life.tries = 0;
                }
                life.after_cut = true;
                (at_us, 0, idle)
            }
            Attempt::Ended(SessionEnd::Failed {
                failure,
                at_us,
                retry_after_us,
                idle,
            }) => {
                society.failed(&mut life, at_us, &failure);
                (at_us, retry_after_us, idle)
            }
            Attempt::Denied(denied) => {
                society.failed(&mut life, now_us, &denied.failure);
                let idle = now_us >= visit.end_us;
                (now_us, denied.retry_after_us, idle)
            }
        };
        if life.tries >= job.load.reconnect.attempts {
            society.gave_up(&life, now_us);
            return;
        }
        life.tries += 1;
        let wait_us = defect::backoff_us(&job.load, life.tries, asked_us, &mut life.jitter);
        intended_us = from_us.saturating_add(wait_us);
        let last_us = if idle {
            visit.end_us
        } else {
            job.stay_end_us(&visit)
        };
        if intended_us >= last_us {
            if !life.was_in {
                society.gave_up(&life, now_us);
            }
            return;
        }
        if !Box::pin(society.sleep(job.clock.until(intended_us))).await {
            return;
        }
    }
}

impl Life {
    fn new(job: &Job, visit: Visit) -> Self {
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
            diary: Diary::default(),
        }
    }
}

impl Society {
    /// Sleeps. `false`: the run is over.
    pub(super) async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.over.cancelled() => false,
        }
    }

    async fn wait_for_start(&self, visit: &Visit) -> bool {
        let mut started = self.started.clone();
        tokio::select! {
            result = started.wait_for(|&started| started > visit.number) => result.is_ok(),
            () = self.over.cancelled() => false,
        }
    }

    /// `false`: the lane is gone, or the run is over.
    pub(super) async fn tell(&self, visit: &Visit, command: Command) -> bool {
        let lane = visit.number as usize % self.lanes.len().max(1);
        let Some(lane) = self.lanes.get(lane) else {
            return false;
        };
        tokio::select! {
            sent = lane.send(command) => sent.is_ok(),
            () = self.over.cancelled() => false,
        }
    }

    async fn leave(&self, visit: &Visit) {
        let number = visit.number;
        self.tell(visit, Command::Left { number }).await;
    }

    pub(super) fn at_desk(&self, write: impl FnOnce(&mut Recorder)) {
        if let Ok(mut desk) = self.desk.lock() {
            write(&mut desk);
        }
    }

    /// A request was answered: to whoever listens to every step.
    pub(super) fn answered(&self, what: &str, account: &str, result: &Result<Granted, Denied>) {
        let job = &self.job;
        let (Ok(Granted { repeated, .. }) | Err(Denied { repeated, .. })) = result;
        if *repeated {
            self.at_desk(|desk| desk.session(job.clock.now_us()).requests_repeated += 1);
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
        self.at_desk(|desk| {
            let Ok(granted) = result else {
                desk.token_request(asked_us, now_us);
                desk.session(now_us).tokens_failed += 1;
                return;
            };
            desk.token_request(granted.asked_us, granted.given_us);
            counters.tokens.fetch_add(1, Ordering::Relaxed);
            desk.session(granted.given_us).tokens_ok += 1;
            let span = Span {
                intended_us,
                begun_us: granted.asked_us,
                end_us: granted.given_us,
            };
            desk.session_stage(Stage::Token, span);
        });
    }

    /// An attempt did not reach `connected`. Once the run is over, that is its doing.
    pub(super) fn failed(&self, life: &mut Life, at_us: u64, failure: &Failure) {
        if self.over.is_cancelled() {
            return;
        }
        life.diary
            .note(at_us, What::Failed(Box::new(failure.clone())));
        self.at_desk(|desk| {
            desk.session(at_us).connects_failed += 1;
            desk.failure(at_us, failure);
        });
    }

    /// A failure that ends no attempt.
    pub(super) fn noted(&self, failure: &Failure) {
        let at_us = self.job.clock.now_us();
        self.at_desk(|desk| desk.failure(at_us, failure));
    }

    fn gave_up(&self, life: &Life, at_us: u64) {
        if self.over.is_cancelled() {
            return;
        }
        let counters = &self.job.counters;
        counters.clients_failed.fetch_add(1, Ordering::Relaxed);
        self.at_desk(|desk| {
            desk.session(at_us).clients_failed += 1;
            desk.given_up(at_us, || self.job.author(&life.visit, None, &life.diary));
        });
    }
}
