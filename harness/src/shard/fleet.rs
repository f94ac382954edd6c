//! This module is all processes of a load: started together, driven together, added up.
//!
//! **In:** an environment, a plan, the number of processes. **Out:** an [`AttackOutcome`] as one process would have it,
//! with an account of each.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::archive::Roster;
use super::channel::Channel;
use super::gathering::{Gathering, Member};
use super::link::{Link, address};
use super::meeting::{MeetingError, Met, build};
use super::message::{Assignment, framed};
use super::peer::Peer;
use crate::environment::{
    Environment, EnvironmentError, LoadProcess, TargetHandover, TargetInfo, affinity,
};
use crate::load::attack::{AttackOutcome, Signals};
use crate::plan::{Cut, Plan};

/// Until a process that was started has come back: as long as a busy machine takes to start as many.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(30);

/// How often those who have not come back are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Until those on other machines know when the load begins.
const SPREAD_LEAD: Duration = Duration::from_secs(4);

/// After the end of the load and all patience of its own: what a process saw is on the way.
const LAST_WORD_PATIENCE: Duration = Duration::from_mins(1);
/// The same for each further one.
const LAST_WORD_EACH: Duration = Duration::from_millis(100);

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
    tag: String,
    /// SHA-256 of the bundle, where it came in one.
    bundle: Option<String>,
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
        assign(&mut links, &environment.target(), (plan, tag)).await?;
        Ok(Self {
            links,
            tag: tag.to_owned(),
            bundle: None,
        })
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
        let target = environment.target();
        let own = arrived(environment, (1, tag)).await?;
        let first = own.into_iter().zip(Cut::all(met.count()));
        let mut links: Vec<Link> = first
            .map(|(own, cut)| own.link(cut).copied_to(met.folder.clone()))
            .collect();
        let mut own = plan.clone();
        if !met.sources.is_empty() {
            own.load.sources.clone_from(&met.sources);
        }
        assign(&mut links, &target, (&own, tag)).await?;
        let (bundle, mut others) = (met.bundle.clone(), met.links());
        assign(&mut others, &target, (plan, tag)).await?;
        links.extend(others);
        Ok(Self {
            links,
            tag: tag.to_owned(),
            bundle: Some(bundle),
        })
    }

    /// Who is of a load that was cut into a bundle and begins at that moment, by the wall clock; `None`: it was not.
    pub(crate) fn roster(&self, plan: &Plan, zero_wall_ns: u64) -> Option<Roster> {
        let links = self.links.iter();
        Some(Roster {
            tag: self.tag.clone(),
            bundle: self.bundle.clone()?,
            build: build(),
            zero_wall_ns,
            members: links
                .map(|link| Member::of(&link.peer, link.cut, plan))
                .collect(),
        })
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
        let (count, is_spread) = (self.count(), self.is_spread());
        signals.faults.followed_by(usize::from(count), is_spread);
        let lanes = usize::from(plan.load.lanes.max(1));
        let ends = (plan.load.end_us(), last_word_patience(count));
        // One at a time is read and added, in the order in which they come: the others wait in their channels.
        let mut driven: FuturesUnordered<_> = self
            .links
            .into_iter()
            .map(|link| async move {
                let member = Member::of(&link.peer, link.cut, plan);
                let first_lane = usize::from(link.cut.index) * lanes;
                (member, link.drive(signals, (ends, first_lane)).await)
            })
            .collect();
        let mut gathering = Gathering::default();
        while let Some((member, done)) = driven.next().await {
            gathering.add(&member, done);
        }
        gathering.whole()
    }
}

impl Met {
    /// How many they are, with the run's own.
    fn count(&self) -> u16 {
        u16::try_from(self.arrived.len() + 1).unwrap_or(u16::MAX)
    }

    /// The ways to all but the run's own.
    fn links(self) -> Vec<Link> {
        let cuts = Cut::all(self.count()).skip(1);
        let links = cuts.zip(self.arrived).map(|(cut, shard)| {
            let peer = Peer::There {
                number: cut.index + 1,
                hello: shard.hello,
                clock_error_us: shard.clock_error_us,
            };
            Link::new(cut, peer, Channel::Folder(shard.mailbox))
        });
        links.collect()
    }
}

/// How long after the load and all patience of its own what one of so many saw may be on the way: they are read one after
/// the other.
fn last_word_patience(count: u16) -> Duration {
    LAST_WORD_PATIENCE + LAST_WORD_EACH * u32::from(count)
}

/// Hands every part over and waits until all are ready.
async fn assign(
    links: &mut [Link],
    target: &TargetInfo,
    (plan, tag): (&Plan, &str),
) -> Result<(), FleetError> {
    let cpus = affinity::current().ok();
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
            target: TargetHandover::of(target, is_here || made_up, is_here),
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
