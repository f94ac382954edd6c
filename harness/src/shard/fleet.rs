//! This module is all processes of a load: started together, driven together, added up.
//!
//! **In:** an environment, a plan, the number of processes. **Out:** an [`AttackOutcome`] as one process would have it,
//! with an account of each.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::link::{Link, address};
use super::message::{Assignment, framed};
use crate::environment::{Environment, EnvironmentError, LoadProcess, TargetHandover, affinity};
use crate::load::attack::{AttackOutcome, Signals};
use crate::plan::{Cut, Plan};
use crate::record::generator::ShardAccount;

/// Until a process that was started has come back: as long as a busy machine takes to start as many.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(30);

/// How often those who have not come back are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why a load could not be begun in several processes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("processes of the load could not be waited for: {0}")]
    Listen(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] EnvironmentError),
    #[error("{named}: {reason}")]
    NotReady { named: String, reason: String },
}

/// The processes of a load, ready to begin.
pub(crate) struct Fleet {
    links: Vec<Link>,
}

/// `shard 2 (pid 4711, see logs/shard-2.log)`, counted from 1.
fn named(process: &LoadProcess) -> String {
    let log = process.log.file_name().unwrap_or_default();
    format!(
        "shard {} (pid {}, see logs/{})",
        process.number,
        process.pid(),
        log.display()
    )
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
        let mut links = arrived(environment, (count, tag)).await?;
        let (target, cpus) = (environment.target(), affinity::current().ok());
        // A plan has no map with keys that are no text: it cannot fail to become JSON.
        let text = serde_json::to_string(plan).unwrap_or_default();
        let assigned = links.iter_mut().map(|link| {
            let assignment = Assignment {
                plan: text.clone(),
                cut: link.cut,
                tag: tag.to_owned(),
                target: TargetHandover::of(&target),
                cpus: cpus.clone(),
            };
            async {
                let answer = link.assign(assignment).await;
                answer.map_err(|reason| FleetError::NotReady {
                    named: named(&link.process),
                    reason,
                })
            }
        });
        let answers: Result<Vec<()>, FleetError> = join_all(assigned).await.into_iter().collect();
        answers?;
        Ok(Self { links })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.links.len()).unwrap_or(u16::MAX)
    }

    /// Drives the load. `signals.counters` has lanes for all processes, in their order.
    /// What one of them did not bring is a sentence in `given_up`.
    pub(crate) async fn run(self, plan: &Plan, signals: &Signals) -> AttackOutcome {
        signals.faults.followed_by(self.links.len());
        let end_us = plan.load.end_us();
        let lanes = usize::from(plan.load.lanes.max(1));
        let driven = self.links.into_iter().map(|link| async move {
            let (process, cut) = (link.process.clone(), link.cut);
            let first_lane = usize::from(cut.index) * lanes;
            let done = link.drive(signals, (end_us, first_lane)).await;
            (process, cut.clients(&plan.load), done)
        });
        let mut all = AttackOutcome::default();
        for (process, clients, done) in join_all(driven).await {
            match done.and_then(|done| Ok((done.outcome?, done.usage, done.count))) {
                Ok((outcome, usage, count)) => {
                    let account = ShardAccount {
                        number: process.number,
                        clients,
                        cpu_seconds: usage.cpu_seconds,
                        rss_peak_bytes: usage.rss_peak_bytes,
                        fds_peak: usage.fds_peak,
                        actual_sends: Some(count.actual_sends),
                        frames_received: Some(count.frames_received),
                        lateness_net: None,
                    };
                    all.add(outcome, account);
                }
                Err(reason) => {
                    let sentence = format!("{}: {reason}", named(&process));
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

/// Starts the processes and waits until all have come back.
async fn arrived(
    environment: &mut Environment,
    (count, tag): (u16, &str),
) -> Result<Vec<Link>, FleetError> {
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
    let links = Cut::all(count)
        .zip(started)
        .map(|(cut, (process, stream))| {
            let stream = stream.ok_or_else(|| missing(&process))?;
            Ok(Link::new(cut, process, framed(stream)))
        });
    links.collect()
}

fn missing(process: &LoadProcess) -> FleetError {
    let patience_s = ARRIVAL_PATIENCE.as_secs();
    FleetError::NotReady {
        named: named(process),
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
        self.parts.push((account, recording.lateness.clone()));
        self.recording.merge(recording);
        self.goose.merge(goose);
        let sentences = given_up.into_iter();
        self.given_up
            .extend(sentences.map(|sentence| format!("shard {}: {sentence}", account.number)));
    }
}
