//! This module is all processes of a load: started together, driven together, added up.
//!
//! **In:** an environment, a plan, the number of processes. **Out:** an [`AttackOutcome`] as one process would have it,
//! with an account of each.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::link::{Link, address};
use super::message::{Assignment, Done, framed};
use crate::environment::{Environment, EnvironmentError, LoadProcess, TargetHandover};
use crate::load::attack::{AttackError, AttackOutcome, Signals};
use crate::plan::{Cut, Plan};
use crate::record::generator::ShardAccount;

/// Until a process that was started has come back: as long as a busy machine takes to start as many.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(30);

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
        let name = format!("harness-{tag}");
        let listener = address(&name)
            .and_then(|address| std::os::unix::net::UnixListener::bind_addr(&address))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .and_then(UnixListener::from_std)
            .map_err(FleetError::Listen)?;
        let mut started = Vec::new();
        for number in 1..=count {
            started.push(environment.start_load_process(number, &name).await?);
        }
        let mut links = Vec::new();
        for (cut, process) in Cut::all(count).zip(&started) {
            links.push((cut, process.clone(), None::<UnixStream>));
        }
        let arrived = async {
            while links.iter().any(|(_, _, stream)| stream.is_none()) {
                let (stream, _) = listener.accept().await.map_err(FleetError::Listen)?;
                let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
                let mine = |process: &LoadProcess| Some(process.pid()) == pid;
                // Anybody may find the name; only those who were started are let in.
                if let Some((_, _, place)) = links.iter_mut().find(|(_, process, _)| mine(process))
                {
                    *place = Some(stream);
                }
            }
            Ok::<_, FleetError>(())
        };
        if let Ok(failed) = timeout(ARRIVAL_PATIENCE, arrived).await {
            failed?;
        }
        let mut ready = Vec::new();
        for (cut, process, stream) in links {
            let not_ready = |reason: String| FleetError::NotReady {
                named: named(&process),
                reason,
            };
            let Some(stream) = stream else {
                let fact = format!(
                    "it has not come back within {} s",
                    ARRIVAL_PATIENCE.as_secs()
                );
                return Err(not_ready(fact));
            };
            ready.push(Link::new(cut, process, framed(stream)));
        }
        let target = environment.target();
        // A plan has no map with keys that are no text: it cannot fail to become JSON.
        let text = serde_json::to_string(plan).unwrap_or_default();
        let assigned = ready.iter_mut().map(|link| {
            let assignment = Assignment {
                plan: text.clone(),
                cut: link.cut,
                tag: tag.to_owned(),
                target: TargetHandover::of(&target),
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
        Ok(Self { links: ready })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.links.len()).unwrap_or(u16::MAX)
    }

    /// Drives the load. `signals.counters` has lanes for all processes, in their order.
    ///
    /// # Errors
    ///
    /// No process brought anything.
    pub(crate) async fn run(
        self,
        plan: &Plan,
        signals: &Signals,
    ) -> Result<AttackOutcome, AttackError> {
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
            match done.and_then(|Done { outcome, usage }| Ok((outcome?, usage))) {
                Ok((outcome, usage)) => {
                    let account = ShardAccount {
                        number: process.number,
                        clients,
                        cpu_seconds: usage.cpu_seconds,
                        rss_peak_bytes: usage.rss_peak_bytes,
                        fds_peak: usage.fds_peak,
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
        Ok(all)
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
