//! This module accounts for what the processes of a run used: how much of a processor, memory, files.
//!
//! **In:** once a second a [`ProcessSample`], and what they may use. **Out:** a [`ProcessAccount`] for each kind of process, and
//! the looks themselves.
//!
//! **Units:** microseconds since load start; processors; bytes.

use crate::environment::{Allowed, ProcessLimits, ProcessSample, ProcessUse};
use crate::result::{Consumer, ProcessAccount, ProcessKind, UsageLook, UsageLooks};
use crate::units::{self, US_PER_S};

/// Looks kept: a day of them.
const LOOKS_MAX: usize = 100_000;
/// The stretch over which the highest use is averaged.
const PEAK_US: u64 = 5 * US_PER_S;
/// Redis answers commands on one thread.
const REDIS_CORES: f64 = 1.0;

/// What was used so far.
#[derive(Debug, Default)]
pub(super) struct Usage {
    server: One,
    redis: One,
    edge: One,
    harness: One,
    allowed: Allowed,
}

/// Of one kind of process.
#[derive(Debug, Default)]
struct One {
    looks: Vec<UsageLook>,
    last: Option<f64>,
    sum: f64,
    rss_bytes: u64,
    rss_peak_bytes: u64,
    files_peak: u64,
    files_limit: Option<u64>,
}

impl One {
    fn add(&mut self, at_us: u64, now: Option<ProcessUse>) {
        let Some(now) = now else { return };
        // One that began anew: what it used since the last look is not known.
        self.sum += self
            .last
            .map_or(0.0, |last| (now.cpu_seconds - last).max(0.0));
        self.last = Some(now.cpu_seconds);
        if self.looks.len() < LOOKS_MAX {
            self.looks.push(UsageLook {
                at_us,
                cpu_seconds: self.sum,
                rss_bytes: now.rss_bytes,
            });
        }
        self.rss_bytes = now.rss_bytes;
        self.rss_peak_bytes = self.rss_peak_bytes.max(now.rss_bytes);
        self.files_peak = self.files_peak.max(now.files);
        self.files_limit = now.files_limit;
    }

    /// Processors in use between two looks.
    fn cores(&self, (from_us, to_us): (u64, u64)) -> Option<f64> {
        let mut looks = self
            .looks
            .iter()
            .filter(|look| (from_us..=to_us).contains(&look.at_us));
        let first = looks.next()?;
        Some(cores(first, looks.next_back()?))
    }

    /// Processors in use between the last two looks, and memory.
    fn latest(&self) -> Option<(f64, u64)> {
        let [.., before, last] = &self.looks[..] else {
            return None;
        };
        Some((cores(before, last), self.rss_bytes))
    }

    /// Over the busiest stretch; both ends of it move on from look to look.
    fn peak(&self) -> f64 {
        let until = self.looks.last().map_or(0, |look| look.at_us);
        let mut ends = self.looks.iter().peekable();
        let (mut highest, mut last) = (0.0_f64, None);
        for first in &self.looks {
            while let Some(end) = ends.next_if(|look| look.at_us <= first.at_us + PEAK_US) {
                last = Some(end);
            }
            if first.at_us + PEAK_US > until + US_PER_S / 2 {
                break;
            }
            let last = last.filter(|last| last.at_us > first.at_us);
            highest = highest.max(last.map_or(0.0, |last| cores(first, last)));
        }
        highest
    }

    fn account(
        &self,
        what: ProcessKind,
        limits: ProcessLimits,
        steady_us: (u64, u64),
    ) -> Option<ProcessAccount> {
        self.last?;
        let cpu_cores = self.cores(steady_us).unwrap_or(0.0);
        Some(ProcessAccount {
            what,
            cpu_cores: thousandths(cpu_cores),
            cpu_cores_peak: thousandths(self.peak().max(cpu_cores)),
            cpu_cores_limit: limits.cores.map(thousandths),
            rss_peak_bytes: self.rss_peak_bytes,
            memory_limit_bytes: limits.memory_bytes,
            files_peak: self.files_peak,
            files_limit: self.files_limit,
        })
    }
}

/// Processors in use from one look to another.
fn cores(first: &UsageLook, last: &UsageLook) -> f64 {
    let passed_us = last.at_us.saturating_sub(first.at_us).max(1);
    (last.cpu_seconds - first.cpu_seconds) * 1e6 / passed_us as f64
}

impl Usage {
    /// What there is to be used, as it was found before the load.
    pub(super) fn of(allowed: Allowed) -> Self {
        Self {
            allowed,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, at_us: u64, now: &ProcessSample) {
        self.server.add(at_us, now.server);
        self.redis.add(at_us, now.redis);
        self.edge.add(at_us, now.edge);
        let load = now.load.into_iter().chain(now.own);
        self.harness.add(at_us, load.reduce(ProcessUse::plus));
    }

    /// What each kind had used at each look.
    pub(super) fn looks(&self) -> Vec<UsageLooks> {
        let all = [
            (Consumer::Server, &self.server),
            (Consumer::Redis, &self.redis),
            (Consumer::Edge, &self.edge),
            (Consumer::Harness, &self.harness),
        ];
        let there = all.into_iter().filter(|(_, one)| one.last.is_some());
        let looks = |(what, one): (Consumer, &One)| UsageLooks {
            what,
            looks: one.looks.clone(),
        };
        there.map(looks).collect()
    }

    /// What the server uses now: processors, bytes.
    pub(super) fn server_now(&self) -> Option<(f64, u64)> {
        self.server.latest()
    }

    /// Memory that the harness may use.
    pub(super) const fn own_memory_bytes(&self) -> Option<u64> {
        self.allowed.harness.memory_bytes
    }

    /// The accounts of what there was.
    pub(super) fn accounts(&self, steady_us: (u64, u64)) -> Vec<ProcessAccount> {
        let Allowed {
            server,
            redis,
            edge,
            harness: _,
        } = self.allowed;
        let cores = redis.cores.unwrap_or(REDIS_CORES).min(REDIS_CORES);
        let redis = ProcessLimits {
            cores: Some(cores),
            ..redis
        };
        [
            self.server.account(ProcessKind::Server, server, steady_us),
            self.redis.account(ProcessKind::Redis, redis, steady_us),
            self.edge.account(ProcessKind::Edge, edge, steady_us),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Short in the file, and read back as it was written.
fn thousandths(value: f64) -> f64 {
    units::rounded(value * 1e3) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_part_and_the_busiest_part_are_told_apart() {
        let limits = ProcessLimits {
            cores: Some(2.0),
            memory_bytes: Some(1_000),
        };
        let mut usage = Usage::of(Allowed {
            server: limits,
            ..Allowed::default()
        });
        let mut cpu = 0.0;
        for second in 0..30_u64 {
            let sample = ProcessSample {
                server: Some(ProcessUse {
                    cpu_seconds: cpu,
                    rss_bytes: second,
                    files: 100 - second,
                    files_limit: Some(1_024),
                }),
                ..ProcessSample::default()
            };
            usage.add(second * US_PER_S, &sample);
            cpu += if (20..25).contains(&second) { 1.5 } else { 0.5 };
        }
        let accounts = usage.accounts((5 * US_PER_S, 15 * US_PER_S));
        let [server] = &accounts[..] else {
            panic!("{accounts:?}");
        };
        assert_eq!(server.what, ProcessKind::Server);
        assert!((server.cpu_cores - 0.5).abs() < 1e-9, "{server:?}");
        assert!((server.cpu_cores_peak - 1.5).abs() < 1e-9, "{server:?}");
        assert_eq!(server.cpu_cores_limit, Some(2.0));
        assert_eq!(server.memory_limit_bytes, Some(1_000));
        assert_eq!((server.rss_peak_bytes, server.files_peak), (29, 100));
    }

    #[test]
    fn what_was_not_there_has_no_account() {
        assert!(Usage::default().accounts((0, 1)).is_empty());
    }
}
