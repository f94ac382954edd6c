//! This module watches how busy the machine is: the processors that this process may use, and the quota of its
//! control group where it has one.
//!
//! **In:** `/proc/stat`, what the kernel allows this process. **Out:** stretches in which hardly anything was left,
//! by whomever it was used: where nobody can run at once, a latency says nothing about a server.
//!
//! **Units:** microseconds since load start; shares of what there is.
//! **Source:** proc(5).

use std::collections::VecDeque;
use std::fs::read_to_string;

use crate::allowance::{Groups, Quota, processors};
use crate::clock::{RunClock, monotonic_ns, process_cpu_ns};

/// Share from which on hardly anything is left.
pub(super) const BUSY_RATIO_MIN: f64 = 0.9;
/// Stretches kept one by one.
const STRETCHES_MAX: usize = 1_000;
/// Looks closer to each other say nothing: the kernel counts in hundredths of a second.
const APART_US_MIN: f64 = 100_000.0;
/// Looks over which the highest share is averaged: 5 s.
const LOOKS: usize = 5;
const NS_PER_US: f64 = 1e3;
const NS_PER_S: f64 = 1e9;

/// Looks one after the other in which the machine was full.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct BusyStretch {
    pub from_us: u64,
    pub to_us: u64,
    /// On average.
    pub busy_ratio: f64,
    /// Processor time of this process meanwhile.
    pub own_cpu_seconds: f64,
}

/// How busy the machine was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MachineAccount {
    /// Processors that this process may use, or its quota of them where that is less; 0: unknown.
    pub cores: f64,
    pub stretches: Vec<BusyStretch>,
    pub stretches_dropped: u64,
    /// Highest share over any 5 s; `None` where the run was shorter or it is unknown.
    pub busy_ratio_max: Option<f64>,
}

/// Looks at the machine, about once a second.
#[derive(Debug)]
pub(super) struct Machine {
    allowed: Vec<u32>,
    quota: Option<Quota>,
    last: Look,
    open: Option<BusyStretch>,
    recent: VecDeque<f64>,
    account: MachineAccount,
}

/// What was used up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    at_ns: u64,
    ticks: Option<Ticks>,
    group_us: Option<u64>,
    own_ns: u64,
}

/// Processor time since boot, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Machine {
    pub(super) fn new() -> Self {
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let allowed = processors(&status);
        let quota = Groups::of("self").quota();
        let cores = allowed.len() as f64;
        let within = quota.as_ref().map_or(cores, |quota| quota.cores.min(cores));
        let mut machine = Self {
            allowed,
            quota,
            last: Look::default(),
            open: None,
            recent: VecDeque::new(),
            account: MachineAccount {
                cores: within,
                ..MachineAccount::default()
            },
        };
        machine.last = machine.measured();
        machine
    }

    fn measured(&self) -> Look {
        let stat = read_to_string("/proc/stat").unwrap_or_default();
        Look {
            at_ns: monotonic_ns(),
            ticks: ticks(&stat, &self.allowed),
            group_us: self.quota.as_ref().and_then(Quota::used_us),
            own_ns: process_cpu_ns(),
        }
    }

    /// What happened since the last look.
    pub(super) fn look(&mut self, clock: RunClock) {
        let now = self.measured();
        let last = std::mem::replace(&mut self.last, now);
        // Before the load nothing is judged.
        if clock.at_us(last.at_ns) == 0 {
            return;
        }
        let quota = self.quota.as_ref().map(|quota| quota.cores);
        let Some(busy_ratio) = busy_ratio(last, now, quota) else {
            return;
        };
        let stretch = BusyStretch {
            from_us: clock.at_us(last.at_ns),
            to_us: clock.at_us(now.at_ns),
            busy_ratio,
            own_cpu_seconds: now.own_ns.saturating_sub(last.own_ns) as f64 / NS_PER_S,
        };
        self.add(stretch);
    }

    fn add(&mut self, look: BusyStretch) {
        self.recent.push_back(look.busy_ratio);
        if self.recent.len() > LOOKS {
            self.recent.pop_front();
        }
        if self.recent.len() == LOOKS {
            let mean = self.recent.iter().sum::<f64>() / LOOKS as f64;
            let highest = self.account.busy_ratio_max.unwrap_or(0.0);
            self.account.busy_ratio_max = Some(highest.max(mean));
        }
        if look.busy_ratio < BUSY_RATIO_MIN {
            self.close();
            return;
        }
        let open = self.open.get_or_insert(BusyStretch {
            to_us: look.from_us,
            own_cpu_seconds: 0.0,
            ..look
        });
        let (before_us, more_us) = (open.to_us - open.from_us, look.to_us - look.from_us);
        let busy_us = open.busy_ratio * before_us as f64 + look.busy_ratio * more_us as f64;
        open.busy_ratio = busy_us / (before_us + more_us).max(1) as f64;
        open.own_cpu_seconds += look.own_cpu_seconds;
        open.to_us = look.to_us;
    }

    /// The share that was busy at the last look, and of how many processors.
    pub(super) fn latest(&self) -> Option<(f64, f64)> {
        let busy_ratio = self.recent.back().copied()?;
        Some((busy_ratio, self.account.cores))
    }

    fn close(&mut self) {
        let Some(stretch) = self.open.take() else {
            return;
        };
        if self.account.stretches.len() < STRETCHES_MAX {
            self.account.stretches.push(stretch);
        } else {
            self.account.stretches_dropped += 1;
        }
    }

    pub(super) fn finish(mut self) -> MachineAccount {
        self.close();
        self.account
    }
}

/// Share of the processors, or of the quota where that is the tighter one, that was used between two looks.
fn busy_ratio(last: Look, now: Look, quota_cores: Option<f64>) -> Option<f64> {
    let of_processors = last.ticks.zip(now.ticks).and_then(|(last, now)| {
        let all = now.all.checked_sub(last.all).filter(|all| *all > 0)?;
        Some(now.busy.saturating_sub(last.busy) as f64 / all as f64)
    });
    let passed_us = now.at_ns.saturating_sub(last.at_ns) as f64 / NS_PER_US;
    if passed_us < APART_US_MIN {
        return None;
    }
    let groups = last.group_us.zip(now.group_us).zip(quota_cores);
    let of_quota = groups
        .map(|((last, now), cores)| now.saturating_sub(last) as f64 / (passed_us * cores).max(1.0));
    let highest = of_processors.into_iter().chain(of_quota).reduce(f64::max)?;
    Some(highest.clamp(0.0, 1.0))
}

/// Processor time of these processors. What a hypervisor gave to others is as good as used.
fn ticks(stat: &str, allowed: &[u32]) -> Option<Ticks> {
    let mut sum = Ticks::default();
    for line in stat.lines() {
        let Some((name, times)) = line.split_once(' ') else {
            continue;
        };
        let number = name.strip_prefix("cpu").and_then(|rest| rest.parse().ok());
        if !number.is_some_and(|number| allowed.contains(&number)) {
            continue;
        }
        let times: Vec<u64> = times
            .split_whitespace()
            .map_while(|time| time.parse().ok())
            .collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are within the first two.
        let all: u64 = times.iter().take(8).sum();
        let idle: u64 = times.iter().skip(3).take(2).sum();
        sum.all += all;
        sum.busy += all - idle;
    }
    (sum.all > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STAT: &str = "cpu  90 0 10 100 0 0 0 0 0 0\ncpu0 50 1 2 30 4 5 6 7 8 9\ncpu1 40 0 8 70 0 0 0 0 0 0\nintr 1 2\n";

    #[test]
    fn only_the_processors_that_may_be_used_count() {
        let first = Ticks {
            busy: 50 + 1 + 2 + 5 + 6 + 7,
            all: 50 + 1 + 2 + 30 + 4 + 5 + 6 + 7,
        };
        assert_eq!(ticks(STAT, &[0]), Some(first));
        let both = Ticks {
            busy: first.busy + 48,
            all: first.all + 118,
        };
        assert_eq!(ticks(STAT, &[0, 1]), Some(both));
        assert_eq!(ticks(STAT, &[9]), None);
    }

    #[test]
    fn the_share_is_of_the_quota_where_that_is_tighter() {
        let look = |busy, group_us, at_s: u64| Look {
            at_ns: at_s * 1_000_000_000,
            ticks: Some(Ticks {
                busy,
                all: at_s * 400,
            }),
            group_us: Some(group_us),
            own_ns: 0,
        };
        let (first, last) = (look(0, 0, 1), look(100, 1_425_000, 2));
        assert_eq!(busy_ratio(first, last, None), Some(0.25));
        assert_eq!(busy_ratio(first, last, Some(1.5)), Some(0.95));
        assert_eq!(busy_ratio(first, last, Some(8.0)), Some(0.25));
        assert_eq!(busy_ratio(first, first, None), None);
    }

    #[test]
    fn looks_in_which_the_machine_is_full_make_one_stretch() {
        let mut machine = Machine::new();
        let shares = [0.3, 0.9, 1.0, 0.95, 0.2, 0.97, 0.5];
        for (second, busy_ratio) in (0_u64..).zip(shares) {
            machine.add(BusyStretch {
                from_us: second * 1_000_000,
                to_us: (second + 1) * 1_000_000,
                busy_ratio,
                own_cpu_seconds: 0.5,
            });
        }
        let account = machine.finish();
        let spans = account.stretches.iter().map(|of| (of.from_us, of.to_us));
        assert_eq!(
            spans.collect::<Vec<_>>(),
            [(1_000_000, 4_000_000), (5_000_000, 6_000_000)]
        );
        let longest = account.stretches[0];
        assert!((longest.busy_ratio - 0.95).abs() < 1e-9, "{longest:?}");
        assert!((longest.own_cpu_seconds - 1.5).abs() < 1e-9, "{longest:?}");
        assert!(
            (account.busy_ratio_max.unwrap() - 0.804).abs() < 1e-9,
            "{account:?}"
        );
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let clock = RunClock::starting_in(Duration::ZERO);
        let mut machine = Machine::new();
        assert!(machine.account.cores >= 0.01, "{machine:?}");
        let begun = machine.last;
        while machine.last.ticks == begun.ticks {
            machine.look(clock);
        }
        assert!(machine.last.ticks.unwrap().all > begun.ticks.unwrap().all);
    }
}
