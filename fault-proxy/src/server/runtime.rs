//! What the process uses, for Prometheus, by the names that its client libraries have for it.
//!
//! **In:** `/proc/self` and the kernel's account of the process. **Out:** a metric for each that can be read.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use prometheus::{Counter, IntGauge, Registry};
use std::fs;

const BYTES_PER_KIB: i64 = 1_024;
const US_PER_S: f64 = 1e6;

pub(super) fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let seconds = |time: TimeVal| time.num_microseconds() as f64 / US_PER_S;
        let (name, help) = (
            "process_cpu_seconds_total",
            "Processor time used, in seconds",
        );
        let used = Counter::new(name, help)?;
        used.inc_by(seconds(usage.user_time()) + seconds(usage.system_time()));
        registry.register(Box::new(used))?;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name| field(&status, name).map(|kib| kib.saturating_mul(BYTES_PER_KIB));
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory in use",
            bytes("VmRSS"),
        ),
        (
            "process_virtual_memory_bytes",
            "Address space in use",
            bytes("VmSize"),
        ),
        (
            "process_threads",
            "Threads of the process",
            field(&status, "Threads"),
        ),
        ("process_open_fds", "Files that are open", open_files()),
        (
            "process_max_fds",
            "Files that may be open at once",
            files_max(),
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            let gauge = IntGauge::new(name, help)?;
            gauge.set(value);
            registry.register(Box::new(gauge))?;
        }
    }
    Ok(())
}

/// The number of a line such as `VmRSS:    1234 kB`.
fn field(status: &str, name: &str) -> Option<i64> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<i64> {
    // The folder itself is open while it is read.
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(open.saturating_sub(1)).ok()
}

fn files_max() -> Option<i64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(i64::try_from(soft).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let status = "VmSize:\t  99 kB\nVmRSSx:\t1 kB\nVmRSS:\t   12 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmRSS"), Some(12));
        assert_eq!(field(status, "Threads"), Some(3));
        assert_eq!(field(status, "Vm"), None);
    }
}
