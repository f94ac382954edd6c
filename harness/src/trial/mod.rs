//! This module repeats small experiments beside the load: trials.
//!
//! **In:** the trials of a plan, and where the target is. **Out:** one [`TrialRecord`] for each: how often
//! the server did what it must, and every way in which it did not, with the experiment from its first step
//! to its last.
//!
//! Each account of a trial is a worker with accounts of its own, numbered after those of the clients, so
//! that a trial and the load do not meet. A worker does one experiment after the other, with a pause
//! between them, from the start of the load to its end; one that is under way when the run ends has no
//! outcome. An experiment never blames a server for what the harness did to the network: see
//! [`Crew::is_disturbed`].
//!
//! One file per experiment, called like its declaration in `scenario::trial`. To add one: its two files, and its line in
//! the lists of the two folders.
//!
//! **Units:** microseconds since load start.

mod answers;
mod broadcast;
mod comeback;
mod crew;
mod door;
mod entrance;
mod expiry;
mod expiry_race;
mod flood;
mod heartbeat;
mod hostile;
mod keep_alive;
mod origin;
mod oversize;
mod participation;
mod people;
mod polling;
mod refusal;
mod reply_lost;
mod resume;
mod retry;
mod scene;
mod slow_reader;
mod token_age;
mod token_hoard;
mod token_log;
mod token_race;
mod token_reuse;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::client::socket::SendError;
use crate::clock::{RunClock, wall_ns};
use crate::environment::TargetInfo;
use crate::known::Known;
use crate::plan::seed::{Purpose, Stream};
use crate::plan::{CREW_SIZE, Plan, TrialKind, TrialPlan};
use crate::record::fault::FaultBoard;
use crate::record::trial::TrialRecord;
use crew::Crew;

/// Longest wait for one answer, where the experiment is about something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an experiment is unclear on whose socket the server broke the WebSocket protocol: that is a failure of its own.
const BROKE_PROTOCOL: &str = "the server broke the WebSocket protocol";

/// Longest experiment, besides the time that it is about.
const LIMIT: Duration = Duration::from_mins(2);

/// Where trials take place.
pub(crate) struct Ground {
    pub clock: RunClock,
    pub board: Arc<FaultBoard>,
    pub target: TargetInfo,
    /// Logs of the servers that the run started.
    pub server_logs: Vec<PathBuf>,
    /// Sockets go straight to a server that the run started: nothing between keeps what is sent.
    pub direct: bool,
}

/// What an experiment came to.
enum Outcome {
    /// The server did what it must.
    Held,
    /// It did not, in this way; one clause says what was seen.
    Broke(Known, String),
    /// It shows neither; why, from a small fixed set.
    Unclear(&'static str),
}

/// An experiment that could not be carried out; why, from a small fixed set.
struct Missed(&'static str);

impl From<SendError> for Missed {
    fn from(_: SendError) -> Self {
        Self("the socket ended")
    }
}

/// One experiment of a worker.
struct Turn<'a> {
    /// Counts from 0.
    number: u64,
    chance: &'a mut Stream,
    /// What a worker keeps from one experiment to the next.
    kept: &'a mut Kept,
    record: &'a mut TrialRecord,
}

/// What a worker keeps.
#[derive(Default)]
struct Kept {
    chat: broadcast::Chat,
    log: token_log::Reading,
    /// Longest wait before a connect is hung up.
    hang_up_us: Option<u64>,
}

/// Repeats all trials of a plan until `stop` fires; none begins after the load's end.
pub(crate) async fn drive(
    plan: &Plan,
    ground: Ground,
    stop: &CancellationToken,
) -> Vec<TrialRecord> {
    let scene = Arc::new(scene::Scene::new(plan, ground));
    let mut workers = JoinSet::new();
    let tag = format!("trial-{:x}", wall_ns());
    let mut user = plan.load.clients.next_multiple_of(CREW_SIZE);
    for (place, trial) in plan.trials.iter().enumerate() {
        for number in 0..trial.at_once {
            let worker = Worker {
                trial: trial.clone(),
                number,
                end_us: plan.load.load_us(),
                crew: Crew::new(Arc::clone(&scene), user, format!("{tag}-{place}-{number}")),
                chance: Stream::new(plan.seed, Purpose::Trial, user),
            };
            user += CREW_SIZE;
            let stop = stop.clone();
            workers.spawn(async move { (place, worker.work(&stop).await) });
        }
    }
    let mut records = vec![TrialRecord::default(); plan.trials.len()];
    while let Some(done) = workers.join_next().await {
        // A worker does not panic; were it to, what the others saw stands.
        if let Ok((place, record)) = done {
            records[place].merge(record);
        }
    }
    records
}

/// One account's part in a trial.
struct Worker {
    trial: TrialPlan,
    number: u16,
    end_us: u64,
    crew: Crew,
    chance: Stream,
}

impl Worker {
    async fn work(mut self, stop: &CancellationToken) -> TrialRecord {
        let mut record = TrialRecord::default();
        let mut kept = Kept::default();
        // Evenly over the first pause, so that they do not come all at once.
        let share = u64::from(self.number) * self.trial.every_us / u64::from(self.trial.at_once);
        let mut due_us = share;
        for number in 0.. {
            let clock = self.crew.clock();
            tokio::select! {
                () = tokio::time::sleep(clock.until(due_us)) => {}
                () = stop.cancelled() => break,
            }
            if clock.now_us() >= self.end_us {
                break;
            }
            let turn = Turn {
                number,
                chance: &mut self.chance,
                kept: &mut kept,
                record: &mut record,
            };
            self.crew.begin();
            let limit = LIMIT + Duration::from_micros(self.trial.kind.longest_us());
            let outcome = tokio::select! {
                outcome = timeout(limit, once(&mut self.crew, self.trial.kind, turn)) => outcome,
                () = stop.cancelled() => break,
            };
            let outcome = outcome.unwrap_or(Err(Missed("it took too long")));
            match outcome {
                Ok(Outcome::Held) => record.held += 1,
                Ok(Outcome::Broke(known, what)) => {
                    record.add_broken(known, self.crew.showing(what));
                }
                Ok(Outcome::Unclear(reason)) | Err(Missed(reason)) => {
                    record.add_unclear(reason, |what| self.crew.showing(what));
                }
            }
            due_us = clock.now_us() + self.trial.every_us;
        }
        record
    }
}

macro_rules! experiments {
    ($($file:ident: $name:ident,)*) => {
        /// One experiment of a kind.
        async fn once(crew: &mut Crew, kind: TrialKind, turn: Turn<'_>) -> Result<Outcome, Missed> {
            match kind {
                $( TrialKind::$name(kind) => $file::run(crew, turn, kind).await, )*
            }
        }
    };
}

experiments! {
    token_race: TokenRace,
    token_reuse: TokenReuse,
    reply_lost: ReplyLost,
    token_age: TokenAge,
    token_log: TokenLog,
    refusal: Refusal,
    origin: Origin,
    participation: Participation,
    flood: Flood,
    token_hoard: TokenHoard,
    hostile: Hostile,
    oversize: Oversize,
    heartbeat: Heartbeat,
    retry: Retry,
    expiry: Expiry,
    expiry_race: ExpiryRace,
    answers: Answers,
    keep_alive: KeepAlive,
    broadcast: Broadcast,
    resume: Resume,
    polling: Polling,
    comeback: Comeback,
    slow_reader: SlowReader,
}
