//! This module is all processes of a load: started together, driven together, added up.
//!
//! **In:** an environment, a plan, the number of processes. **Out:** an [`AttackOutcome`] as one process would have it,
//! with an account of each.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::channel::Channel;
use super::link::{Link, address};
use super::meeting::{MeetingError, Met};
use super::message::{Assignment, framed};
use super::peer::Peer;
use crate::environment::{Environment, EnvironmentError, LoadProcess, TargetHandover, affinity};
use crate::load::attack::{AttackOutcome, Signals};
use crate::plan::{Cut, Plan};
use crate::record::generator::ShardAccount;

/// Until a process that was started has come back: as long as a busy machine takes to start as many.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(30);

/// How often those who have not come back are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Until those on other machines know when the load begins.
const SPREAD_LEAD: Duration = Duration::from_secs(4);

/// Largest step of the wall clock of another machine, as of this one.
const CLOCK_STEP_MAX_US: u64 = 1_000;

/// Why a load could not be begun in several processes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("processes of the load could not be waited for: {0}")]
    Listen(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] EnvironmentError),
    #[error(transparent)]
    Meeting(#[from] MeetingError),
    #[error("{named}: {reason}")]
    NotReady { named: String, reason: String },
}

/// The processes of a load, ready to begin.
pub(crate) struct Fleet {
    links: Vec<Link>,
}

impl Fleet {
    /// Starts `count` processes and gives each its part.
    ///
    /// # Errors
    ///
    /// One of them could not be started or is not ready, and is named.
    pub(crate) async fn start(
        environment: &mut Environment,
        plan: &Plan,
        (count, tag): (u16, &str),
    ) -> Result<Self, FleetError> {
        let started = arrived(environment, (count, tag)).await?;
        let links = Cut::all(count).zip(started);
        let mut links = links.map(|(cut, own)| own.link(cut)).collect::<Vec<_>>();
        assign(&mut links, environment, (plan, tag)).await?;
        Ok(Self { links })
    }

    /// Gives each of those who met its part: the first to a process that is started here, the others to the shards that
    /// have come.
    ///
    /// # Errors
    ///
    /// One did not come, could not be started or is not ready, and is named.
    pub(crate) async fn gather(
        environment: &mut Environment,
        plan: &Plan,
        (met, tag): (Met, &str),
    ) -> Result<Self, FleetError> {
        let count = u16::try_from(met.0.len() + 1).unwrap_or(u16::MAX);
        let own = arrived(environment, (1, tag)).await?;
        let mut cuts = Cut::all(count);
        let first = own.into_iter().zip(&mut cuts);
        let mut links: Vec<Link> = first.map(|(own, cut)| own.link(cut)).collect();
        links.extend(cuts.zip(met.0).map(|(cut, shard)| {
            let peer = Peer::There {
                number: cut.index + 1,
                hello: shard.hello,
                clock_error_us: shard.clock_error_us,
            };
            Link::new(cut, peer, Channel::Folder(shard.mailbox))
        }));
        assign(&mut links, environment, (plan, tag)).await?;
        Ok(Self { links })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.links.len()).unwrap_or(u16::MAX)
    }

    /// How far ahead the start of the load is to lie, beside what one process needs: a folder is looked into now and then.
    pub(crate) fn lead(&self) -> Duration {
        if self.is_spread() {
            SPREAD_LEAD
        } else {
            Duration::ZERO
        }
    }

    fn is_spread(&self) -> bool {
        self.links.iter().any(|link| link.peer.host().is_some())
    }

    /// Drives the load. `signals.counters` has lanes for all processes, in their order.
    /// What one of them did not bring is a sentence in `given_up`.
    pub(crate) async fn run(self, plan: &Plan, signals: &Signals) -> AttackOutcome {
        let is_spread = self.is_spread();
        signals.faults.followed_by(self.links.len(), is_spread);
        let end_us = plan.load.end_us();
        let lanes = usize::from(plan.load.lanes.max(1));
        let driven = self.links.into_iter().map(|link| async move {
            let (peer, cut) = (link.peer.clone(), link.cut);
            let first_lane = usize::from(cut.index) * lanes;
            let done = link.drive(signals, (end_us, first_lane)).await;
            (peer, cut.clients(&plan.load), done)
        });
        let mut all = AttackOutcome::default();
        for (peer, clients, done) in join_all(driven).await {
            match done.and_then(|done| Ok((done.outcome?, done.usage, done.count))) {
                Ok((outcome, usage, count)) => {
                    let account = ShardAccount {
                        number: peer.number(),
                        clients,
                        host: peer.host().map(str::to_owned),
                        clock_error_us: peer.clock_error_us(),
                        cpu_seconds: usage.cpu_seconds,
                        rss_peak_bytes: usage.rss_peak_bytes,
                        fds_peak: usage.fds_peak,
                        actual_sends: Some(count.actual_sends),
                        frames_received: Some(count.frames_received),
                        lateness_net: None,
                    };
                    if peer.host().is_some() && usage.clock_step_us > CLOCK_STEP_MAX_US {
                        let sentence = format!(
                            "{}: its wall clock stepped by {} ms, and the kernel dates answers by it",
                            peer.named(),
                            usage.clock_step_us / 1_000
                        );
                        all.given_up.push(sentence);
                    }
                    all.add(outcome, account);
                }
                Err(reason) => {
                    let sentence = format!("{}: {reason}", peer.named());
                    tracing::error!("{sentence}");
                    all.given_up.push(sentence);
                }
            }
        }
        if signals.faults.is_untold() {
            let fact = "a process of the load did not know of a fault in time: what it saw may be counted on the wrong side of it";
            all.given_up.push(fact.to_owned());
        }
        all
    }
}

/// Hands every part over and waits until all are ready.
async fn assign(
    links: &mut [Link],
    environment: &Environment,
    (plan, tag): (&Plan, &str),
) -> Result<(), FleetError> {
    let (target, cpus) = (environment.target(), affinity::current().ok());
    // A password that was made up for a server of this run is known to nobody else, and good for nothing after it.
    let made_up = plan.environment.target.is_none() && plan.environment.users.password.is_none();
    // A plan has no map with keys that are no text: it cannot fail to become JSON.
    let text = serde_json::to_string(plan).unwrap_or_default();
    let assigned = links.iter_mut().map(|link| {
        let is_here = link.peer.host().is_none();
        let assignment = Assignment {
            plan: text.clone(),
            cut: link.cut,
            tag: tag.to_owned(),
            target: TargetHandover::of(&target, is_here || made_up, is_here),
            cpus: cpus.clone().filter(|_| is_here),
        };
        async {
            let answer = link.assign(assignment).await;
            answer.map_err(|reason| FleetError::NotReady {
                named: link.peer.named(),
                reason,
            })
        }
    });
    let answers: Result<Vec<()>, FleetError> = join_all(assigned).await.into_iter().collect();
    answers.map(drop)
}

/// A process that was started and has come back.
struct Own {
    process: LoadProcess,
    stream: UnixStream,
}

impl Own {
    fn link(self, cut: Cut) -> Link {
        let channel = Channel::Socket(framed(self.stream));
        Link::new(cut, Peer::Here(self.process), channel)
    }
}

/// Starts the processes and waits until all have come back.
async fn arrived(
    environment: &mut Environment,
    (count, tag): (u16, &str),
) -> Result<Vec<Own>, FleetError> {
    let name = format!("harness-{tag}");
    let listener = address(&name)
        .and_then(|address| std::os::unix::net::UnixListener::bind_addr(&address))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .and_then(UnixListener::from_std)
        .map_err(FleetError::Listen)?;
    let mut started = Vec::new();
    for number in 1..=count {
        let process = environment.start_load_process(number, &name).await?;
        started.push((process, None));
    }
    let all = async {
        while started.iter().any(|(_, stream)| stream.is_none()) {
            let Ok(accepted) = timeout(LOOK_EVERY, listener.accept()).await else {
                let mut missing = started.iter().filter(|(_, stream)| stream.is_none());
                if missing.any(|(process, _)| !process.is_alive()) {
                    break;
                }
                continue;
            };
            let (stream, _) = accepted.map_err(FleetError::Listen)?;
            let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
            // Anybody may find the name; only those who were started are let in.
            let mut mine = started.iter_mut();
            if let Some((_, place)) = mine.find(|(process, _)| Some(process.pid()) == pid) {
                *place = Some(stream);
            }
        }
        Ok::<_, FleetError>(())
    };
    if let Ok(failed) = timeout(ARRIVAL_PATIENCE, all).await {
        failed?;
    }
    let own = started.into_iter().map(|(process, stream)| {
        let stream = stream.ok_or_else(|| missing(&process))?;
        Ok(Own { process, stream })
    });
    own.collect()
}

fn missing(process: &LoadProcess) -> FleetError {
    let patience_s = ARRIVAL_PATIENCE.as_secs();
    FleetError::NotReady {
        named: Peer::Here(process.clone()).named(),
        reason: if process.is_alive() {
            format!("it has not come back within {patience_s} s")
        } else {
            "it ended before it had begun".to_owned()
        },
    }
}

impl AttackOutcome {
    /// Adds what another process saw.
    fn add(&mut self, other: Self, account: ShardAccount) {
        let Self {
            recording,
            goose,
            given_up,
            parts: _,
        } = other;
        let number = account.number;
        self.parts.push((account, recording.lateness.clone()));
        self.recording.merge(recording);
        self.goose.merge(goose);
        let sentences = given_up.into_iter();
        self.given_up
            .extend(sentences.map(|sentence| format!("shard {number}: {sentence}")));
    }
}
