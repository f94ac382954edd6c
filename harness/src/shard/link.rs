//! This module is the run's end of one process of its load.
//!
//! **In:** the process, and the socket it came on. **Out:** what came of its part, or the sentence that names how it failed.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::channel::Channel;
use super::copied::Copied;
use super::mailbox::ShardFolder;
use super::message::{Assignment, Done, FromShard, ToShard, decode, encode};
use super::peer::Peer;
use crate::clock::wall_ns;
use crate::load::attack::Signals;
use crate::plan::Cut;
use crate::record::counters::Recent;
use crate::record::tally::Tally;

/// Until a process has made its clients' plan: it reads thousands of accounts in far less.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// Until a process whose socket has ended is gone.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Where processes of a run's load find it: a name that is in no folder, so no path can be too long for it.
pub(super) fn address(name: &str) -> std::io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// One process of the load.
pub(super) struct Link {
    pub cut: Cut,
    pub peer: Peer,
    channel: Channel,
    /// Where its counters stood last.
    last: Tally,
    /// Where what it says is left for others, if it does not say it there itself.
    copy: Option<Copied>,
}

impl Link {
    pub(super) fn new(cut: Cut, peer: Peer, channel: Channel) -> Self {
        Self {
            cut,
            peer,
            channel,
            last: Tally::default(),
            copy: None,
        }
    }

    /// What it says is left in that folder too.
    pub(super) fn copied_to(self, folder: ShardFolder) -> Self {
        Self {
            copy: Some(Copied::to(folder)),
            ..self
        }
    }

    /// Hands the part over and waits until everything for it is there.
    ///
    /// # Errors
    ///
    /// Why it is not, in one sentence.
    pub(super) async fn assign(&mut self, assignment: Assignment) -> Result<(), String> {
        let answered = async {
            self.say(&ToShard::Assignment(Box::new(assignment))).await?;
            self.hear().await
        };
        let answer = timeout(READY_PATIENCE, answered).await;
        let late = |_| format!("it was not ready within {} s", READY_PATIENCE.as_secs());
        match answer.map_err(late).flatten() {
            Ok(FromShard::Ready) => Ok(()),
            Ok(FromShard::Unable(reason)) | Err(reason) => Err(reason),
            Ok(
                FromShard::Hello(_)
                | FromShard::Heard(_)
                | FromShard::Tally(_)
                | FromShard::Done(_),
            ) => Err("it answered another question".to_owned()),
        }
    }

    /// Starts the load and follows it to its end, and for so long after that to its last word; its lanes are those from
    /// `first_lane` on.
    ///
    /// # Errors
    ///
    /// How it failed, in one sentence.
    pub(super) async fn drive(
        mut self,
        signals: &Signals,
        ((end_us, patience), first_lane): ((u64, Duration), usize),
    ) -> Result<Done, String> {
        let overdue = async {
            tokio::select! {
                () = tokio::time::sleep(signals.clock.until(end_us)) => {}
                () = signals.cancel.cancelled() => {}
            }
            tokio::time::sleep(patience).await;
        };
        let done = tokio::select! {
            done = self.follow(signals, first_lane) => done,
            () = overdue => Err(format!("it had no last word {} s after the load", patience.as_secs())),
        };
        signals.faults.heard(usize::from(self.cut.index), u64::MAX);
        if done.is_err() {
            let gone = self.last.gone();
            gone.add_to(&signals.counters, &self.last, first_lane);
        }
        done
    }

    async fn follow(&mut self, signals: &Signals, first_lane: usize) -> Result<Done, String> {
        let follower = usize::from(self.cut.index);
        let zero_ns = signals.clock.monotonic_ns_at(0);
        let mut changes = signals.faults.changes();
        let zero_wall_ns = signals.clock.wall_ns_at(0);
        let start = ToShard::Start {
            zero_ns,
            zero_wall_ns,
            said_wall_ns: wall_ns(),
        };
        self.say(&start).await?;
        let mut recents: Vec<Recent> = Vec::new();
        let mut is_cancelled = false;
        loop {
            tokio::select! {
                heard = self.hear() => match self.copied(heard?).await {
                    FromShard::Heard(revision) => signals.faults.heard(follower, revision),
                    FromShard::Tally(told) => {
                        let (tally, recent) = *told;
                        tally.add_to(&signals.counters, &self.last, first_lane);
                        self.last = tally;
                        recents.push(recent);
                        // Where somebody else is at it, with the next.
                        let add = |all: &mut Recent| recents.iter().for_each(|recent| all.merge(recent));
                        if signals.counters.add_recent(add) {
                            recents.clear();
                        }
                    }
                    FromShard::Done(done) => return Ok(*done),
                    FromShard::Unable(reason) => return Err(reason),
                    FromShard::Ready | FromShard::Hello(_) => {
                        return Err("it began twice".to_owned());
                    }
                },
                Ok(()) = changes.changed() => {
                    let revision = *changes.borrow_and_update();
                    let spans = signals.faults.spans();
                    self.say(&ToShard::Faults { revision, spans }).await?;
                }
                () = signals.cancel.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    self.say(&ToShard::Cancel).await?;
                }
            }
        }
    }

    /// What was heard, left for others where it is to be.
    async fn copied(&mut self, heard: FromShard) -> FromShard {
        if let Some(copy) = &mut self.copy {
            copy.hear(&heard).await;
        }
        heard
    }

    async fn say(&mut self, message: &ToShard) -> Result<(), String> {
        let sent = async { self.channel.send(encode(message)?).await };
        match sent.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.reason(&error.to_string()).await),
        }
    }

    async fn hear(&mut self) -> Result<FromShard, String> {
        let heard = match self.channel.next().await {
            None => return Err(self.reason("it said no more").await),
            Some(Ok(frame)) => decode(&frame),
            Some(Err(error)) => Err(error),
        };
        match heard {
            Ok(heard) => Ok(heard),
            Err(error) => Err(self.reason(&error.to_string()).await),
        }
    }

    /// What is known of why nothing can be said or heard any more.
    async fn reason(&self, seen: &str) -> String {
        // Its files are closed before it has ended.
        if self.peer.ended_within(END_PATIENCE).await {
            "it ended before its part was done".to_owned()
        } else {
            seen.to_owned()
        }
    }
}
