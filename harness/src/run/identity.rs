//! This module says which run this is, and on what machine.
//!
//! **In:** the plan, `/proc`, the build. **Out:** [`Run`] and [`Host`] of the result.

use std::time::{Duration, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit};
use sha2::{Digest, Sha256};

use crate::clock::{monotonic_ns, wall_ns};
use crate::plan::{Plan, hash};
use crate::result::store::Identity;
use crate::result::{Host, Run};

/// `r-` and eight hexadecimal digits, different for every run of this machine.
pub(crate) fn run_id() -> String {
    let mut hash = Sha256::new();
    hash.update(wall_ns().to_le_bytes());
    hash.update(monotonic_ns().to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    let digest = hash.finalize();
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("r-{number:08x}")
}

/// A run that begins now.
pub(crate) fn begun(id: &str) -> Identity {
    Identity {
        id: id.to_owned(),
        started_at: now(),
    }
}

/// This moment, RFC 3339, UTC.
pub(crate) fn now() -> String {
    rfc3339(wall_ns())
}

/// A moment of the wall clock, RFC 3339, UTC, to the millisecond.
fn rfc3339(wall_ns: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(wall_ns)).to_string()
}

/// The run's identity; `started_ns` is the wall clock at load start.
pub(super) fn run(plan: &Plan, id: &str, command: &str, started_ns: u64, host: Host) -> Run {
    Run {
        id: id.to_owned(),
        scenario: plan.scenario.clone(),
        title: plan.title.clone(),
        question: plan.question.clone(),
        seed: plan.seed,
        plan_hash: hash(plan),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("HARNESS_COMMIT")
            .filter(|commit| !commit.is_empty())
            .map(str::to_owned),
        started_at: rfc3339(started_ns),
        duration_us: 0,
        interrupted: false,
        aborted: None,
        abort: None,
        command: command.to_owned(),
        host,
    }
}

/// The machine, before the run; what belongs to the environment is still empty.
pub(crate) fn host() -> Host {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let loads = read("/proc/loadavg");
    let mut loads = loads
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0.0));
    let name = read("/proc/sys/kernel/hostname");
    let processors = read("/proc/cpuinfo");
    let cpu = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    Host {
        name: Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
        cores: std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory_bytes: kib.unwrap_or(0) * 1_024,
        cpu: cpu
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
            .filter(|cpu| !cpu.is_empty()),
        kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        file_limit: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
        load_average: std::array::from_fn(|_| loads.next().unwrap_or(0.0)),
        redis_version: None,
        target: String::new(),
        target_version: None,
        links: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_have_two_names() {
        assert_ne!(run_id(), run_id());
        assert_eq!(run_id().len(), 10);
    }

    #[test]
    fn moments_are_written_in_utc_to_the_millisecond() {
        assert_eq!(
            rfc3339(1_800_000_000_123_456_789),
            "2027-01-15T08:00:00.123Z"
        );
    }

    #[test]
    fn the_machine_has_cores_memory_and_a_file_limit() {
        let host = host();
        assert!(
            host.cores >= 1 && host.memory_bytes > 0 && host.file_limit > 0,
            "{host:?}"
        );
    }
}
