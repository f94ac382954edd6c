//! This module runs the load of a plan against a target.
//!
//! **In:** [`Plan`], [`TargetInfo`], [`Signals`]. **Out:** [`AttackOutcome`]: what every thread saw,
//! and goose's own counts to hold it against.
//!
//! The end of a run: users leave by the plan's clock, each when its last message has its end, at
//! the latest when the drain is over. goose's plan is over by then and waits for them.

mod stdout;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use goose::client::GooseClientBuilder;
use goose::config::{GooseConfiguration, GooseDefault, GooseDefaultType};
use goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};
use goose::metrics::GooseMetrics;
use goose::{GooseAttack, GooseError};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::stdout::StdoutGuard;
use super::job::Job;
use super::lane::{LaneError, LaneHandle};
use super::life::live;
use super::pacing::Alarm;
use super::pool::{ERRANDS_MAX, serve, users};
use super::rooms::Rooms;
use super::user::UserContext;
use crate::client::flat;
use crate::clock::{RunClock, wall_ns};
use crate::environment::TargetInfo;
use crate::failure::{FailureKind, Limit};
use crate::plan::{Cut, IdKind, Plan, copies, has_rooms, says_heard, tick_us};
use crate::record::counters::Counters;
use crate::record::fault::FaultBoard;
use crate::record::generator::ShardAccount;
use crate::record::histogram::SparseHistogram;
use crate::record::recorder::Recorder;
use crate::record::recording::Recording;
use crate::record::trace::Trace;
use crate::record::users::{GooseCounts, GooseRequest};

/// How long after the last answer goose may still be busy before it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// How often the HTTP latencies are shown to whoever watches.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// What the load shares with the rest of the run.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// Its zero should lie [`head_start`] in the future.
    pub clock: RunClock,
    pub counters: Arc<Counters>,
    pub faults: Arc<FaultBoard>,
    /// Ends the run early: within about two seconds, with what was recorded so far.
    pub cancel: CancellationToken,
    /// Hears every frame.
    pub trace: Trace,
}

/// Which part of a load is driven here.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub cut: Cut,
    /// Tells this run's conversations and message ids from those of any other; the same in all parts.
    pub tag: String,
}

impl Part {
    /// A load that is driven in one process.
    pub(crate) fn whole() -> Self {
        Self {
            cut: Cut::WHOLE,
            tag: tag(),
        }
    }
}

/// A new tag: ids must not meet those of another run against the same server.
pub(crate) fn tag() -> String {
    let number = (wall_ns() / 1_000) ^ (u64::from(std::process::id()) << 40);
    format!("{number:x}")
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct AttackOutcome {
    pub recording: Recording,
    pub goose: GooseCounts,
    /// When clients were first looked for, by the wall clock of this process, nanoseconds since 1970: its start. `None`: it
    /// drove nothing.
    pub begun_wall_ns: Option<u64>,
    /// What did not end by itself, and what of it is missing: one sentence each.
    pub given_up: Vec<String>,
    /// Of a load in several processes: who brought nothing, by number, and why.
    #[serde(skip)]
    pub missing: BTreeMap<u16, String>,
    /// Of a load in several processes: what each used, and how late it was, by interval.
    #[serde(skip)]
    pub parts: Vec<(ShardAccount, BTreeMap<u32, SparseHistogram>)>,
}

/// Why the load could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttackError {
    #[error("the load generator refused its configuration or failed: {0}")]
    Goose(#[source] Box<GooseError>),
    #[error(transparent)]
    Lane(#[from] LaneError),
    #[error("no timer for the start of clients: {0}")]
    Timer(#[source] std::io::Error),
    #[error("stdout cannot be set aside: {0}")]
    Stdout(#[source] std::io::Error),
    #[error("the load generator did not end within {} s after the drain", STUCK_AFTER.as_secs())]
    Stuck,
}

impl AttackError {
    /// This system gave no thread.
    pub(crate) const fn is_exhaustion(&self) -> bool {
        matches!(self, Self::Lane(LaneError::Start(_)))
    }
}

impl From<GooseError> for AttackError {
    fn from(error: GooseError) -> Self {
        Self::Goose(Box::new(error))
    }
}

/// How far ahead the run clock's zero should lie when [`run`] is called in so many processes, so that users are there
/// when the first client comes: goose builds all of them first.
pub(crate) fn head_start(clients: u32, processes: u32) -> Duration {
    let built = users(clients.div_ceil(processes.max(1))) * processes;
    Duration::from_millis(300) + Duration::from_micros(30) * built
}

/// Runs the load. Returns when every message has its end and every socket is closed.
///
/// Call it on a tokio runtime with I/O and time enabled, of either kind; goose's users live on it,
/// sockets on threads of their own. One run at a time in a process: goose's stop switch is global.
///
/// # Errors
///
/// [`AttackError`]: nothing was recorded.
pub(crate) async fn run(
    plan: &Plan,
    part: Part,
    target: TargetInfo,
    signals: Signals,
) -> Result<AttackOutcome, AttackError> {
    let job = Arc::new(job(plan, part, target, &signals));
    if job.visits.is_empty() {
        return Ok(AttackOutcome::default());
    }
    let lanes = (0..job.load.lanes.max(1)).map(|index| LaneHandle::start(Arc::clone(&job), index));
    let lanes: Vec<LaneHandle> = lanes.collect::<Result<_, _>>()?;
    let context = Arc::new(context(&job, &lanes));
    let mut helpers = JoinSet::new();
    let alarm = Alarm::new().map_err(AttackError::Timer)?;
    helpers.spawn(lead_lives(Arc::clone(&context), alarm));
    helpers.spawn(publish(Arc::clone(&context)));
    helpers.spawn(stop_goose(Arc::clone(&context)));
    let metrics = Box::pin(execute(attack(&job, &context)?, &job, &context)).await;
    context.over.cancel();
    helpers.shutdown().await;
    // With every user gone nothing more can come: what is open stays open to the end of the drain.
    let cancelled_us = context.cancelled_us.load(Ordering::Relaxed);
    let end_us = cancelled_us.min(job.end_us());
    let mut recording = Recording::default();
    let mut given_up = Vec::new();
    for (kept, lost) in join_all(lanes.into_iter().map(|lane| lane.finish(end_us))).await {
        recording.merge(kept);
        given_up.extend(lost.map(|error| error.to_string()));
    }
    recording.merge(take_recording(&context, end_us));
    let goose = match metrics {
        Ok(metrics) => counts(&metrics),
        Err(stuck @ AttackError::Stuck) => {
            given_up.push(stuck.to_string());
            GooseCounts::default()
        }
        Err(error) => return Err(error),
    };
    let begun_wall_ns = context.begun_wall_ns.load(Ordering::Relaxed);
    Ok(AttackOutcome {
        recording,
        goose,
        begun_wall_ns: Some(begun_wall_ns).filter(|ns| *ns > 0),
        given_up,
        ..AttackOutcome::default()
    })
}

fn job(plan: &Plan, part: Part, target: TargetInfo, signals: &Signals) -> Job {
    let visits = part.cut.visits(&plan.load);
    Job {
        seed: plan.seed,
        interval_us: plan.interval_us,
        load: plan.load.clone(),
        tick_us: tick_us(plan),
        cut: part.cut,
        rooms: copies(plan).and_then(|by| Rooms::of(&plan.load, (by, says_heard(plan)), &visits)),
        has_rooms: has_rooms(target.dialect.as_deref(), &plan.load.session),
        visits,
        numbered: numbered(plan),
        is_flat: target.dialect.as_deref().is_some_and(flat::is_flat),
        target,
        tag: part.tag,
        clock: signals.clock,
        counters: Arc::clone(&signals.counters),
        board: Arc::clone(&signals.faults),
        cancel: signals.cancel.clone(),
        trace: signals.trace.clone(),
    }
}

/// How many stays there are, in all parts, where their messages are numbered.
fn numbered(plan: &Plan) -> Option<u64> {
    let dialect = plan.environment.dialect.as_deref()?;
    let numbered = dialect.ids == IdKind::Number;
    numbered.then(|| Cut::WHOLE.visits(&plan.load).len().max(1) as u64)
}

fn recorder(job: &Job) -> Recorder {
    Recorder::new(
        job.interval_us,
        Arc::clone(&job.board),
        Arc::clone(&job.counters),
    )
}

fn context(job: &Arc<Job>, lanes: &[LaneHandle]) -> UserContext {
    UserContext {
        job: Arc::clone(job),
        lanes: lanes.iter().map(LaneHandle::commands).collect(),
        recorder: Mutex::new(recorder(job)),
        errands: flume::bounded(ERRANDS_MAX),
        finished: CancellationToken::new(),
        over: job.cancel.child_token(),
        stuck: CancellationToken::new(),
        cancelled_us: AtomicU64::new(u64::MAX),
        begun_wall_ns: AtomicU64::new(0),
    }
}

/// The attack, as goose wants it.
fn attack(job: &Job, context: &Arc<UserContext>) -> Result<GooseAttack, AttackError> {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(job.target.http_base.clone());
    configuration.quiet = 1;
    configuration.no_telnet = true;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    let timeout = Duration::from_micros(job.load.session.connect_timeout_us);
    // Every user is given the target's client: this one asks nothing, and need not look for certificates.
    let client = GooseClientBuilder::new()
        .without_cookies()
        .accept_invalid_certs(true)
        .timeout(timeout);
    let context = Arc::clone(context);
    let errands: TransactionFunction = Arc::new(move |user: &mut GooseUser| {
        let context = Arc::clone(&context);
        Box::pin(async move {
            serve(user, &context).await;
            Ok(())
        })
    });
    let scenario = Scenario::new("client").register_transaction(Transaction::new(errands));
    let attack = GooseAttack::initialize_with_config(configuration)?
        .set_client_builder_without_cookies(client)?;
    // All of them at once, and no longer than they must: they stay until no client is left.
    let users = users(job.cut.clients(&job.load));
    let plan = format!("{users},0s;0,0s");
    let attack = *attack.set_default(GooseDefault::TestPlan, plan.as_str())?;
    Ok(attack.register_scenario(scenario))
}

/// Runs goose to its end, at the latest a while after that of the run. Its future is never dropped while users are alive: they would run on.
async fn execute(
    attack: GooseAttack,
    job: &Job,
    context: &UserContext,
) -> Result<GooseMetrics, AttackError> {
    let _stdout = StdoutGuard::new().map_err(AttackError::Stdout)?;
    let mut attack = pin!(attack.execute());
    let overdue = async {
        tokio::select! {
            () = tokio::time::sleep(job.clock.until(job.end_us())) => {}
            () = job.cancel.cancelled() => {}
        }
        tokio::time::sleep(STUCK_AFTER).await;
    };
    tokio::select! {
        result = &mut attack => return Ok(result?),
        () = overdue => {}
    }
    goose::trigger_killswitch("the run is long over");
    context.over.cancel();
    context.stuck.cancel();
    match tokio::time::timeout(STUCK_AFTER, attack).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(AttackError::Stuck),
    }
}

/// Tells goose when the run is cancelled, and remembers the moment.
async fn stop_goose(context: Arc<UserContext>) {
    context.job.cancel.cancelled().await;
    let now_us = context.job.clock.now_us();
    context.cancelled_us.store(now_us, Ordering::Relaxed);
    goose::trigger_killswitch("cancelled");
}

/// Begins every life at its exact moment, and lets the users go when all are over.
async fn lead_lives(context: Arc<UserContext>, alarm: Alarm) {
    let job = &context.job;
    let lives = TaskTracker::new();
    let at = async |start_us| {
        let armed = alarm.arm(job.clock.monotonic_ns_at(start_us));
        armed.is_ok() && alarm.rings().await.is_ok()
    };
    tokio::select! {
        _ = at(0) => context.begun_wall_ns.store(wall_ns(), Ordering::Relaxed),
        () = context.over.cancelled() => {}
    }
    let mut begun = 0;
    while let Some(next) = job.visits.get(begun) {
        let on_time = at(next.start_us);
        let on_time = tokio::select! {
            on_time = on_time => on_time,
            () = context.over.cancelled() => break,
        };
        let now_us = job.clock.now_us();
        // Without a timer everybody starts at once rather than never.
        let due = if on_time {
            job.visits.partition_point(|visit| visit.start_us <= now_us)
        } else {
            job.visits.len()
        };
        for visit in job.visits.get(begun..due).unwrap_or_default() {
            lives.spawn(live(Arc::clone(&context), *visit));
        }
        begun = due;
    }
    lives.close();
    lives.wait().await;
    context.finished.cancel();
}

/// Shows the latencies of HTTP requests to whoever watches.
async fn publish(context: Arc<UserContext>) {
    let mut ticks = tokio::time::interval(PUBLISH_EVERY);
    loop {
        ticks.tick().await;
        if let Ok(mut recorder) = context.recorder.lock() {
            recorder.publish_recent();
        }
    }
}

/// What was recorded outside of lanes, and what never came to members of a conversation, once nothing more can come.
fn take_recording(context: &UserContext, end_us: u64) -> Recording {
    let Ok(mut recorder) = context.recorder.lock() else {
        return Recording::default();
    };
    let rooms = context.job.rooms.iter();
    for unheard in rooms.flat_map(|rooms| rooms.finish(end_us)) {
        recorder.unheard(&unheard, || context.job.writer(unheard.message));
    }
    if context.job.rooms.as_ref().is_some_and(Rooms::is_full) {
        recorder.failure(end_us, &FailureKind::Limit(Limit::Copies).into());
    }
    recorder.take()
}

fn counts(metrics: &GooseMetrics) -> GooseCounts {
    let mut counts = GooseCounts {
        users: metrics.total_users as u64,
        ..GooseCounts::default()
    };
    let mut requests: Vec<_> = metrics.requests.values().collect();
    requests.sort_by(|left, right| left.path.cmp(&right.path));
    for request in requests {
        let entry: &mut GooseRequest = counts.requests.entry(request.path.clone()).or_default();
        entry.ok += request.success_count as u64;
        entry.failed += request.fail_count as u64;
    }
    counts
}

#[cfg(test)]
mod tests;
