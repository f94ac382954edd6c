//! This module reads what processes may use together at most.
//!
//! **In:** the processors each may run on, the limits of its control groups, the memory of the machine.
//! **Out:** [`ProcessLimits`].
//!
//! Processes that are held by one group share its limit; those that are held by different groups have as much as these
//! together. A process that no group holds has the processors and the memory of the machine.
//!
//! **Units:** processors; bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::PathBuf;

use super::ProcessId;
use crate::allowance::{Groups, processors};

const BYTES_PER_KIB: u64 = 1_024;

/// What processes may use together; `None`: it cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessLimits {
    /// The processors that they may run on, or the quota of their groups where that is less.
    pub cores: Option<f64>,
    /// The memory of the machine, or the limit of their groups where that is less.
    pub memory_bytes: Option<u64>,
}

impl ProcessLimits {
    /// Of these processes, as far as they are there.
    pub(crate) fn of(processes: impl Iterator<Item = ProcessId>) -> Self {
        let mut all = Self::default();
        let mut quotas = Shares::default();
        let mut memories = Shares::default();
        let mut allowed = BTreeSet::new();
        for process in processes.filter(|process| process.is_alive()) {
            let pid = process.pid.to_string();
            let status = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            allowed.extend(processors(&status));
            let groups = Groups::of(&pid);
            quotas.add(groups.quota().map(|quota| (quota.folder, quota.cores)));
            let memory = groups.memory();
            memories.add(memory.map(|limit| (limit.folder, limit.bytes as f64)));
        }
        if !allowed.is_empty() {
            let cores = allowed.len() as f64;
            all.cores = Some(quotas.sum().map_or(cores, |quota| quota.min(cores)));
            let limit = memories.sum().map(crate::units::rounded);
            all.memory_bytes = limit.into_iter().chain(machine_bytes()).min();
        }
        all
    }
}

/// Limits by the group that has them.
#[derive(Debug, Default)]
struct Shares {
    of: BTreeMap<PathBuf, f64>,
    /// Nothing holds one of the processes.
    without: bool,
}

impl Shares {
    fn add(&mut self, limit: Option<(PathBuf, f64)>) {
        match limit {
            Some((folder, limit)) => {
                self.of.insert(folder, limit);
            }
            None => self.without = true,
        }
    }

    fn sum(&self) -> Option<f64> {
        (!self.without && !self.of.is_empty()).then(|| self.of.values().sum())
    }
}

/// The memory of the machine.
fn machine_bytes() -> Option<u64> {
    let text = read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * BYTES_PER_KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_one_group_share_its_limit_and_of_several_have_theirs_together() {
        let group = |name: &str, limit: f64| Some((PathBuf::from(name), limit));
        let mut shares = Shares::default();
        assert_eq!(shares.sum(), None);
        shares.add(group("a", 1.5));
        shares.add(group("a", 1.5));
        assert_eq!(shares.sum(), Some(1.5));
        shares.add(group("b", 0.5));
        assert_eq!(shares.sum(), Some(2.0));
        shares.add(None);
        assert_eq!(shares.sum(), None);
    }

    #[test]
    fn this_process_has_limits_and_one_that_is_gone_has_none() {
        let me = ProcessId::of_self().unwrap();
        let limits = ProcessLimits::of([me, me].into_iter());
        assert!(limits.cores.unwrap() > 0.0, "{limits:?}");
        assert!(limits.memory_bytes.unwrap() <= machine_bytes().unwrap());
        let gone = ProcessId { started: 1, ..me };
        let nobody = ProcessLimits::of(std::iter::once(gone));
        assert_eq!(nobody, ProcessLimits::default());
    }
}
