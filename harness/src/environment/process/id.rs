//! This module watches and signals processes without ever mistaking one for another.
//!
//! **In:** `/proc`. **Out:** [`ProcessId`]: a pid together with its start time, so that a number
//! that was given to another process in the meantime is never signalled.
//!
//! **Units:** start times are clock ticks since boot; processor time is in seconds, memory in
//! bytes.
//!
//! **Source:** proc(5), `/proc/pid/stat`, `status`, `limits` and `fd`.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::allowance::files_of;
use crate::clock::monotonic_ns;

/// `USER_HZ`: what `/proc` counts processor time in, the same on every Linux.
const TICKS_PER_S: f64 = 100.0;
const POLL: Duration = Duration::from_millis(5);
const BYTES_PER_KB: u64 = 1_024;

/// One process, for good: a pid may be used again, a pid and its start time are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub pid: i32,
    /// Clock ticks since boot.
    pub started: u64,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessUse {
    pub cpu_seconds: f64,
    /// Anonymous memory.
    pub rss_bytes: u64,
    /// Open files, sockets among them.
    pub files: u64,
    /// So many may be open; of several processes the sum. `None`: without limit, or not to be read.
    pub files_limit: Option<u64>,
}

impl ProcessUse {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds + other.cpu_seconds,
            rss_bytes: self.rss_bytes + other.rss_bytes,
            files: self.files + other.files,
            files_limit: self
                .files_limit
                .zip(other.files_limit)
                .map(|(one, other)| one.saturating_add(other)),
        }
    }
}

/// What `/proc/pid/stat` says.
struct Stat {
    state: char,
    cpu_ticks: u64,
    started: u64,
}

impl ProcessId {
    /// The process that has this pid now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let started = read_stat(pid)?.started;
        Some(Self { pid, started })
    }

    /// This very process.
    pub(crate) fn of_self() -> Option<Self> {
        Self::of(Pid::this().as_raw())
    }

    fn stat(self) -> Option<Stat> {
        read_stat(self.pid).filter(|stat| stat.started == self.started)
    }

    /// It runs or is stopped. One that has ended and only waits to be reaped is not alive.
    pub(crate) fn is_alive(self) -> bool {
        self.stat()
            .is_some_and(|stat| !matches!(stat.state, 'Z' | 'X' | 'x'))
    }

    /// Its effective user, while it is there.
    fn user(self) -> Option<u32> {
        self.stat()?;
        effective_user(&fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?)
    }

    /// It runs for the user that this process runs for.
    pub(crate) fn is_ours(self) -> bool {
        let user = self.user();
        user.is_some() && user == own_user()
    }

    /// It is stopped by a signal.
    pub(crate) fn is_stopped(self) -> bool {
        self.stat().is_some_and(|stat| stat.state == 'T')
    }

    /// Sends a signal; `false` when the process is gone or not ours.
    pub(crate) fn signal(self, signal: Signal) -> bool {
        self.is_alive() && kill(Pid::from_raw(self.pid), signal).is_ok()
    }

    /// Processor time and memory, while it is alive.
    pub(crate) fn usage(self) -> Option<ProcessUse> {
        let stat = self.stat().filter(|stat| stat.state != 'Z')?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        Some(ProcessUse {
            cpu_seconds: stat.cpu_ticks as f64 / TICKS_PER_S,
            rss_bytes: anonymous_bytes(&status).unwrap_or(0),
            files: files_of(&self.pid.to_string()),
            files_limit: self.files_limit(),
        })
    }

    /// How many files may be open.
    fn files_limit(self) -> Option<u64> {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.pid)).ok()?;
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Waits until the process has ended; `false` when it still has not after `timeout`.
    pub(crate) async fn ended_within(self, timeout: Duration) -> bool {
        let start_ns = monotonic_ns();
        while self.is_alive() {
            if u128::from(monotonic_ns() - start_ns) >= timeout.as_nanos() {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

/// For whom this process runs.
pub(crate) fn own_user() -> Option<u32> {
    ProcessId::of_self()?.user()
}

/// `Uid:` holds the real, effective, saved and file system user.
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn read_stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name, in brackets, may hold anything: fields are counted from its end.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        cpu_ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

fn anonymous_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * BYTES_PER_KB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_does_not_shift_the_fields() {
        let text = "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 30 12 13 14 15 16 17 18 777 20 21";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.state, stat.cpu_ticks, stat.started), ('S', 42, 777));
    }

    #[test]
    fn this_process_is_alive_and_uses_memory() {
        let me = ProcessId::of_self().unwrap();
        assert!(me.is_alive());
        assert!(me.usage().unwrap().rss_bytes > 0);
    }

    #[test]
    fn the_user_is_the_effective_one() {
        let status = "Name:\tx\nUid:\t1000\t0\t7\t8\nGid:\t1\t2\t3\t4\n";
        assert_eq!(effective_user(status), Some(0));
        assert!(ProcessId::of_self().unwrap().is_ours());
        let init = ProcessId::of(1).unwrap();
        assert_eq!(init.is_ours(), init.user() == own_user());
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_signalled() {
        let me = ProcessId::of_self().unwrap();
        let earlier = ProcessId {
            pid: me.pid,
            started: me.started - 1,
        };
        assert!(!earlier.is_alive());
        assert!(!earlier.signal(Signal::SIGKILL));
    }
}
