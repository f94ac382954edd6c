//! This module runs a plan: environment up, load beside faults, environment down.
//!
//! **In:** an [`Order`]. **Out:** [`Finished`]: the facts and the judged result. Writing them is the
//! caller's.
//!
//! Whatever happens after the environment is up, it is stopped again before this returns. A cancelled
//! run still has a result: what was seen until then.

mod counts;
mod guard;
pub(crate) mod identity;
mod kept;
mod machine;
mod network;
mod queue;
mod sampler;
mod usage;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::RunClock;
use crate::environment::{Environment, EnvironmentError, Settings, open_files};
use crate::fault::{FaultEvent, drive};
use crate::load::attack::{self, AttackError, AttackOutcome, Part, Signals};
use crate::monitor::{MachineAccount, Monitor};
use crate::plan::{Cut, Link, Plan, estimate, tick_us};
use crate::record::counters::Counters;
use crate::record::fault::{FaultBoard, FaultStamps};
use crate::record::trace::Trace;
use crate::record::trial::TrialRecord;
use crate::result::facts::Facts;
use crate::result::summarize::summarize;
use crate::result::verdict::judge;
use crate::result::{Generator, Host, Run, RunResult};
use crate::shard::{Fleet, FleetError, Meeting, Met, Place};
use crate::trial::{self, Inputs};
use counts::Counts;
use guard::Guard;
pub(crate) use kept::{Begun, MergeError, begun};
use sampler::{Samples, Sampling, sample};

/// Fault notes that a slow listener may leave unread.
const EVENTS_MAX: usize = 256;

/// A run to be done.
pub(crate) struct Order {
    pub plan: Plan,
    pub settings: Settings,
    /// The command line that repeats it.
    pub command: String,
    /// Hears every frame of the clients.
    pub trace: Trace,
    /// Where it meets the other shards of its load, if they are started by somebody else.
    pub place: Option<Place>,
}

impl Order {
    /// The plan of what is to be there on this machine: of parts on other machines nothing is.
    pub(crate) fn here(&self) -> Cow<'_, Plan> {
        match &self.place {
            Some(place) if !place.one_host => {
                let own = Cut {
                    index: 0,
                    count: place.count,
                };
                Cow::Owned(own.of(&self.plan))
            }
            Some(_) | None => Cow::Borrowed(&self.plan),
        }
    }
}

/// What can be watched while it is done; handed out when the load is about to start.
pub(crate) struct Watchable {
    pub clock: RunClock,
    pub counters: Arc<Counters>,
    pub faults: mpsc::Receiver<FaultEvent>,
    /// Fires when the load is over.
    pub over: CancellationToken,
}

/// A run that was done.
pub(crate) struct Finished {
    pub facts: Facts,
    pub result: RunResult,
    /// Wall clock at load start, nanoseconds since 1970.
    pub started_wall_ns: u64,
    /// What went wrong while stopping, one sentence each.
    pub problems: Vec<String>,
}

/// Why there is no result at all.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("the load could not be driven")]
    Attack(#[from] AttackError),
    #[error("the load cannot be driven in several processes")]
    Fleet(#[source] FleetError),
    #[error("the harness could not start a thread to watch itself")]
    Monitor(#[source] std::io::Error),
}

impl From<FleetError> for RunError {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Start(error) => Self::Environment(error),
            other => Self::Fleet(other),
        }
    }
}

/// Does it. `announce` is called once, when the load is about to start.
pub(crate) async fn execute(
    order: &Order,
    cancel: &CancellationToken,
    announce: impl FnOnce(Watchable),
) -> Result<Finished, RunError> {
    let host = identity::host();
    // Lives to the end: the others see by it that the run does.
    let meeting = match &order.place {
        Some(place) => Some(Meeting::open(place.clone()).map_err(FleetError::Meeting)?),
        None => None,
    };
    let met = met(meeting.as_ref(), cancel).await?;
    let mut environment = Environment::start(&order.here(), &order.settings, cancel).await?;
    let host = Host {
        redis_version: environment.redis_version(),
        target: environment.target().http_base,
        target_version: environment.target_version().await,
        links: environment.links_text(),
        ..host
    };
    let fleet = Box::pin(fleet(&order.plan, (&mut environment, met), cancel)).await;
    let seen = match fleet {
        Ok(fleet) => {
            let way = (&environment, fleet, host);
            Box::pin(load(order, way, cancel, announce)).await
        }
        Err(error) => Err(error),
    };
    let problems = environment.stop().await;
    let mut seen = seen?;
    let started_wall_ns = seen.started_wall_ns;
    seen.run.interrupted = cancel.is_cancelled();
    let attack = std::mem::take(&mut seen.attack);
    let own = kept::end(
        order.place.as_ref(),
        seen.facts(order.plan.clone()),
        (&attack, started_wall_ns),
    );
    let facts = kept::with(own, attack);
    Ok(judged((facts, started_wall_ns), problems))
}

/// Makes the result of a run once more, of what it and its parts left in their folder.
///
/// # Errors
///
/// There is no run, it is not over, or what lies there does not belong together.
pub(crate) fn merge(shared: &Path) -> Result<Finished, MergeError> {
    Ok(judged(kept::facts(shared)?, Vec::new()))
}

fn judged((facts, started_wall_ns): (Facts, u64), problems: Vec<String>) -> Finished {
    let mut result = summarize(&facts);
    judge(&mut result);
    Finished {
        facts,
        result,
        started_wall_ns,
        problems,
    }
}

/// The other shards, where somebody else starts them.
async fn met(
    meeting: Option<&Meeting>,
    cancel: &CancellationToken,
) -> Result<Option<Met>, RunError> {
    let Some(meeting) = meeting else {
        return Ok(None);
    };
    tokio::select! {
        met = meeting.all() => Ok(Some(met.map_err(FleetError::Meeting)?)),
        () = cancel.cancelled() => Err(EnvironmentError::Cancelled.into()),
    }
}

/// The processes of the load, where this one does not drive it alone.
async fn fleet(
    plan: &Plan,
    (environment, met): (&mut Environment, Option<Met>),
    cancel: &CancellationToken,
) -> Result<Option<Fleet>, RunError> {
    let tag = attack::tag();
    if let Some(met) = met {
        return tokio::select! {
            gathered = Fleet::gather(environment, plan, (met, &tag)) => Ok(Some(gathered?)),
            () = cancel.cancelled() => Err(EnvironmentError::Cancelled.into()),
        };
    }
    let limit = open_files().map_err(EnvironmentError::from)?;
    let shards = estimate::shards(plan, limit);
    if shards < 2 {
        return Ok(None);
    }
    tokio::select! {
        started = Fleet::start(environment, plan, (shards, &tag)) => Ok(Some(started?)),
        () = cancel.cancelled() => Err(EnvironmentError::Cancelled.into()),
    }
}

/// Everything seen between load start and the end of the drain.
struct Seen {
    run: Run,
    started_wall_ns: u64,
    end_us: u64,
    attack: AttackOutcome,
    stamps: Vec<FaultStamps>,
    trials: Vec<TrialRecord>,
    samples: Samples,
    generator: Generator,
    machine: MachineAccount,
    peak_open: u64,
    /// A process of the load did not know of a fault in time.
    untold: bool,
}

/// Says when the load begins: its clock, the same by the wall clock in nanoseconds, and which run that is.
fn begin(order: &Order, (fleet, host): (Option<&Fleet>, Host)) -> (RunClock, u64, Run) {
    let (plan, settings) = (&order.plan, &order.settings);
    let processes = fleet.map_or(1, Fleet::count);
    let lead = attack::head_start(plan.load.clients, u32::from(processes))
        + fleet.map_or(Duration::ZERO, Fleet::lead);
    let clock = RunClock::starting_in(lead);
    let at_ns = clock.wall_ns_at(0);
    let run = identity::run(plan, &settings.run_id, &order.command, at_ns, host);
    let roster = fleet.and_then(|fleet| fleet.roster(plan, at_ns));
    kept::begin(order.place.as_ref(), (plan, &run), roster);
    (clock, at_ns, run)
}

async fn load(
    order: &Order,
    (environment, fleet, host): (&Environment, Option<Fleet>, Host),
    cancel: &CancellationToken,
    announce: impl FnOnce(Watchable),
) -> Result<Seen, RunError> {
    let plan = &order.plan;
    let processes = fleet.as_ref().map_or(1, Fleet::count);
    let counters = Arc::new(Counters::new(
        usize::from(plan.load.lanes) * usize::from(processes),
    ));
    let board = Arc::new(FaultBoard::new(plan.faults.len()));
    let before = environment.server_metrics().await;
    let (clock, started_wall_ns, run) = begin(order, (fleet.as_ref(), host));
    let monitor = Monitor::start(clock, Arc::clone(&counters)).map_err(RunError::Monitor)?;
    let (events, faults) = mpsc::channel(EVENTS_MAX);
    let over = CancellationToken::new();
    announce(Watchable {
        clock,
        counters: Arc::clone(&counters),
        faults,
        over: over.clone(),
    });
    // Fires with `cancel`, and when the guard ends the run.
    let stop = cancel.child_token();
    let signals = Signals {
        clock,
        counters: Arc::clone(&counters),
        faults: Arc::clone(&board),
        cancel: stop.clone(),
        trace: order.trace.clone(),
    };
    let driven = async {
        let all = drive_all(plan, (environment, fleet), signals, events).await;
        over.cancel();
        all
    };
    let sampling = Sampling {
        environment,
        plan,
        counters: &counters,
        clock,
        guard: Guard::new(plan, &counters, &board),
        counts: Counts::wanted(plan),
    };
    let queue = queue::peak(environment, before.as_ref(), &over);
    let ((attack, stamps, trials), mut samples, queue_depth_peak) =
        tokio::join!(driven, sample(sampling, &stop, &over), queue);
    let end_us = clock.now_us();
    let (generator, machine) = monitor.finish();
    samples.close(environment, before, queue_depth_peak).await;
    Ok(Seen {
        run,
        started_wall_ns,
        end_us,
        attack: attack?,
        stamps,
        trials,
        samples,
        generator,
        machine,
        peak_open: counters.peak_open.load(Ordering::Relaxed),
        untold: board.is_untold(),
    })
}

/// The load, with faults and trials beside it: they stop with the run, and when the load ends before them.
async fn drive_all(
    plan: &Plan,
    (environment, fleet): (&Environment, Option<Fleet>),
    signals: Signals,
    events: mpsc::Sender<FaultEvent>,
) -> (
    Result<AttackOutcome, AttackError>,
    Vec<FaultStamps>,
    Vec<TrialRecord>,
) {
    let over = signals.cancel.child_token();
    let faults = drive(
        &plan.faults,
        environment.fault_access(),
        signals.clock,
        Arc::clone(&signals.faults),
        events,
        over.clone(),
    );
    let inputs = Inputs {
        clock: signals.clock,
        board: Arc::clone(&signals.faults),
        target: environment.target(),
        server_logs: environment.server_logs(),
        direct: plan.environment.target.is_none()
            && !plan.environment.proxies.contains(&Link::Edge),
    };
    let trials = trial::drive(plan, inputs, &over);
    let attack = async {
        let outcome = match fleet {
            Some(fleet) => Ok(fleet.run(plan, &signals).await),
            None => attack::run(plan, Part::whole(), environment.target(), signals).await,
        };
        over.cancel();
        outcome
    };
    tokio::join!(attack, faults, trials)
}

impl Seen {
    /// All but what the load brought.
    fn facts(self, plan: Plan) -> Facts {
        let untold = "a process of the load did not know of a fault in time: what it saw may be counted on the wrong side of it";
        let lanes = plan.load.lanes;
        let tick_us = tick_us(&plan);
        let steady_us = (plan.load.ramp_end_us(), plan.load.load_us());
        let processes = self.samples.usage.accounts(steady_us);
        Facts {
            plan,
            run: Run {
                duration_us: self.end_us,
                aborted: self.samples.abort.as_ref().map(|end| end.text.clone()),
                abort: self.samples.abort.clone(),
                ..self.run
            },
            recording: self.attack.recording,
            parts: self.attack.parts,
            peak_open: self.peak_open,
            goose: self.attack.goose,
            stamps: self.stamps,
            trials: self.trials,
            generator: Generator {
                busy: self.samples.uses.spans(&self.machine),
                given_up: self.untold.then(|| untold.to_owned()).into_iter().collect(),
                lanes,
                tick_us,
                memory_limit_bytes: self.samples.usage.own_memory_bytes(),
                ..self.generator
            },
            server: self.samples.account,
            ended_processes: self.samples.ended,
            gauges: self.samples.gauges,
            processes,
            usage: self.samples.usage.looks(),
            accept_backlog: self.samples.network.backlog(),
            traffic: self.samples.network.traffic(),
            end_us: self.end_us,
        }
    }
}
