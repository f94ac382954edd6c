//! What the kernel says about this process, in Prometheus' usual names.
//!
//! **Source:** proc(5). Read by hand: the `prometheus` crate's own collector brings five crates for
//! five numbers. Nothing is printed where /proc cannot be read.

use std::fmt::Write as _;

/// Bytes per page and clock ticks per second on every Linux this runs on.
const PAGE_BYTES: u64 = 4096;
const TICKS_PER_S: f64 = 100.0;

/// The metrics as text; empty where /proc is not readable.
pub(crate) fn render() -> String {
    let mut text = String::new();
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
        render_stat(&mut text, &stat);
    }
    if let Some(open) = open_files() {
        metric(
            &mut text,
            "process_open_fds",
            "gauge",
            "Open file descriptors.",
            open as f64,
        );
    }
    text
}

/// The kernel says their number as the size of the folder; one before 6.2 lists them.
fn open_files() -> Option<u64> {
    let folder = "/proc/self/fd";
    match std::fs::metadata(folder).ok()?.len() {
        // The handle of the folder itself is one of them.
        0 => Some(std::fs::read_dir(folder).ok()?.count().saturating_sub(1) as u64),
        counted => Some(counted),
    }
}

fn render_stat(text: &mut String, stat: &str) {
    // The second field, the command in parentheses, may hold blanks: count from behind it.
    let Some((_, rest)) = stat.rsplit_once(") ") else {
        return;
    };
    let fields: Vec<u64> = rest
        .split(' ')
        .map(|field| field.trim().parse().unwrap_or(0))
        .collect();
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
    let cpu_s = (field(14) + field(15)) as f64 / TICKS_PER_S;
    metric(
        text,
        "process_cpu_seconds_total",
        "counter",
        "User and system CPU time.",
        cpu_s,
    );
    metric(
        text,
        "process_threads",
        "gauge",
        "Threads.",
        field(20) as f64,
    );
    metric(
        text,
        "process_virtual_memory_bytes",
        "gauge",
        "Virtual memory.",
        field(23) as f64,
    );
    let resident = field(24).saturating_mul(PAGE_BYTES);
    metric(
        text,
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory.",
        resident as f64,
    );
    if let Some(boot_s) = boot_time_s() {
        let started = boot_s + field(22) as f64 / TICKS_PER_S;
        metric(
            text,
            "process_start_time_seconds",
            "gauge",
            "Start, seconds since 1970.",
            started,
        );
    }
}

fn boot_time_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
    )
    .expect("a string takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let mut text = String::new();
        let mut fields = vec!["0"; 50];
        (fields[11], fields[12], fields[21]) = ("150", "50", "3");
        render_stat(&mut text, &format!("7 (a b) c) {}", fields.join(" ")));
        assert!(text.contains("\nprocess_cpu_seconds_total 2\n"), "{text}");
        assert!(
            text.contains("\nprocess_resident_memory_bytes 12288\n"),
            "{text}"
        );
    }

    #[test]
    fn this_process_uses_memory_and_files() {
        let text = render();
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_start_time_seconds",
        ] {
            assert!(text.contains(&format!("\n{name} ")), "{text}");
        }
    }
}
