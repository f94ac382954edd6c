//! This module knows the processes of a run: what they use, and which of them ended by themselves.
//!
//! **In:** the processes that were started. **Out:** a [`ProcessSample`], and what they may use: [`Allowed`].
//!
//! A run stands on its processes. One that ends without a fault having ended it (a crash, the
//! kernel's out-of-memory killer, somebody's hand) makes the numbers those of something else.

use std::path::PathBuf;

use super::child::Child;
use super::machine::disk;
use super::process::{ProcessId, ProcessLimits, ProcessUse};

/// What the processes of a run are called in reports.
const REDIS: &str = "Redis";
pub(crate) const SERVER: &str = "the reference server";
const EDGE_PROXY: &str = "a fault proxy of the edge link";

/// How the children of the run are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProcessSample {
    /// Those that have ended although no fault of the run ended them.
    pub ended: Vec<&'static str>,
    /// Those that this machine keeps from their work, and how.
    pub stuck: Vec<(&'static str, String)>,
    /// `None` for a target that was not started by this run, or has ended.
    pub server: Option<ProcessUse>,
    pub redis: Option<ProcessUse>,
    /// The fault proxies of the edge link together.
    pub edge: Option<ProcessUse>,
    /// The processes that drive the load together, where it is not this one alone.
    pub load: Option<ProcessUse>,
    /// This process.
    pub own: Option<ProcessUse>,
}

/// What the processes of the run may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Allowed {
    pub server: ProcessLimits,
    pub redis: ProcessLimits,
    pub edge: ProcessLimits,
    /// This process.
    pub harness: ProcessLimits,
}

/// The processes of the run, as they are now.
#[derive(Clone, Debug)]
pub(crate) struct Children {
    pub servers: Vec<Child>,
    pub redis: Option<Child>,
    pub edge: Vec<ProcessId>,
    pub load: Vec<ProcessId>,
    /// Where Redis writes down what it is given, if it does.
    pub redis_writes_to: Option<PathBuf>,
}

impl Children {
    pub(crate) fn sample(self) -> ProcessSample {
        ProcessSample {
            ended: self.ended(),
            stuck: self.stuck().into_iter().collect(),
            server: together(self.servers.iter().map(Child::process)),
            redis: self.redis.and_then(|redis| redis.process().usage()),
            edge: together(self.edge.into_iter()),
            load: together(self.load.into_iter()),
            own: together(ProcessId::of_self().into_iter()),
        }
    }

    pub(crate) fn allowed(self) -> Allowed {
        Allowed {
            server: ProcessLimits::of(self.servers.iter().map(Child::process)),
            redis: ProcessLimits::of(self.redis.iter().map(Child::process)),
            edge: ProcessLimits::of(self.edge.into_iter()),
            harness: ProcessLimits::of(ProcessId::of_self().into_iter()),
        }
    }

    /// A Redis that cannot write its file refuses every write, whoever asks.
    fn stuck(&self) -> Option<(&'static str, String)> {
        let folder = self.redis_writes_to.as_deref()?;
        let full = disk::has_no_room(folder);
        full.then(|| {
            let folder = folder.parent().unwrap_or(folder).display();
            let fact = format!("could not write any more: no space was left in {folder} (TMPDIR)");
            (REDIS, fact)
        })
    }

    fn ended(&self) -> Vec<&'static str> {
        let has_ended = |process: &ProcessId| !process.is_alive();
        let server = self.servers.iter().any(Child::has_ended_by_itself);
        let redis = self.redis.iter().any(Child::has_ended_by_itself);
        let edge = self.edge.iter().any(has_ended).then_some(EDGE_PROXY);
        [redis.then_some(REDIS), server.then_some(SERVER), edge]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// What several processes use together.
fn together(processes: impl Iterator<Item = ProcessId>) -> Option<ProcessUse> {
    let used = processes.filter_map(ProcessId::usage);
    used.reduce(ProcessUse::plus)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::Signal;

    use super::*;
    use crate::environment::tests::TestRedis;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_redis_that_a_fault_ended_is_not_missed_and_one_that_died_is() {
        let redis_run = TestRedis::new("children", false).await;
        let redis = redis_run.redis.child.clone();
        let children = Children {
            servers: Vec::new(),
            redis: Some(redis.clone()),
            edge: Vec::new(),
            load: Vec::new(),
            redis_writes_to: None,
        };
        let ended = || children.clone().sample().ended;
        assert!(ended().is_empty());

        redis.kill().await.unwrap();
        assert!(!redis.process().is_alive() && ended().is_empty());
        redis.start_again().await.unwrap();
        let answers = async {
            while !redis.probe().ask(TIMEOUT).await.is_good() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, answers).await.unwrap();
        redis.is_back();
        assert!(ended().is_empty());

        assert!(redis.process().signal(Signal::SIGKILL));
        assert!(redis.process().ended_within(TIMEOUT).await);
        assert_eq!(ended(), [REDIS]);
        // It is not there to be shut down, but what is left is still given back.
        redis.start_again().await.unwrap();
        redis_run.stop().await;
    }

    #[test]
    fn a_redis_without_room_for_its_file_is_named_and_one_that_keeps_nothing_is_not() {
        let children = |redis_writes_to: Option<&str>| Children {
            servers: Vec::new(),
            redis: None,
            edge: Vec::new(),
            load: Vec::new(),
            redis_writes_to: redis_writes_to.map(PathBuf::from),
        };
        assert!(children(None).sample().stuck.is_empty());
        let room = std::env::temp_dir();
        assert!(children(room.to_str()).sample().stuck.is_empty());
        let stuck = children(Some("/proc/self")).sample().stuck;
        assert!(
            matches!(&stuck[..], [(REDIS, fact)] if fact.contains("no space was left in /proc"))
        );
    }

    #[tokio::test]
    async fn a_server_or_edge_proxy_that_died_is_named_once() {
        let redis_run = TestRedis::new("children-gone", false).await;
        let gone = ProcessId {
            started: 1,
            ..ProcessId::of_self().unwrap()
        };
        let children = Children {
            servers: vec![redis_run.redis.child.with_process(gone)],
            redis: Some(redis_run.redis.child.clone()),
            edge: vec![ProcessId::of_self().unwrap(), gone, gone],
            load: Vec::new(),
            redis_writes_to: None,
        };
        let sample = children.sample();
        assert_eq!(sample.ended, [SERVER, EDGE_PROXY]);
        assert!(sample.server.is_none() && sample.edge.is_some());
        redis_run.stop().await;
    }
}
