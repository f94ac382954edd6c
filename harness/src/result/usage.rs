//! This module lays out over the run what its processes used.
//!
//! **In:** looks at each kind of process, about one a second. **Out:** a [`UsageLine`] for each kind, in the steps of the
//! per-second table.
//!
//! **Units:** microseconds since load start; processors; bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{self, US_PER_S, seconds};

/// A look that is older than this, before a step, says nothing about it.
const STALE_US: u64 = 2 * US_PER_S;
/// Part of a step that looks must cover.
const COVERED_RATIO_MIN: f64 = 0.5;

/// Who uses processors and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consumer {
    /// All instances of the server together.
    Server,
    Redis,
    /// The fault proxies of the edge link together.
    Edge,
    /// This process, and those that drive the load with it.
    Harness,
}

impl Consumer {
    /// What reports call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Redis => "Redis",
            Self::Edge => "edge proxy",
            Self::Harness => "harness",
        }
    }
}

/// What the processes of a kind had used up to a moment, and the memory that they then had.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UsageLook {
    pub at_us: u64,
    /// From the first look on, added up over processes that followed each other.
    pub cpu_seconds: f64,
    pub rss_bytes: u64,
}

/// The looks at one kind, in order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UsageLooks {
    pub what: Consumer,
    pub looks: Vec<UsageLook>,
}

/// What the processes of a kind used over the run: one value for each row of `per_second`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UsageLine {
    pub what: Consumer,
    /// Processors in use, on average over the step; `None`: not looked at.
    pub cpu_cores: Vec<Option<f64>>,
    /// Resident memory at the end of the step.
    pub rss_bytes: Vec<Option<u64>>,
}

/// The lines of what was there, over `rows` steps.
pub(super) fn lines(all: &[UsageLooks], step_us: u64, rows: usize) -> Vec<UsageLine> {
    let seen = all.iter().filter(|of| of.looks.len() > 1);
    let line = |of: &UsageLooks| {
        let steps = (0..rows as u64).map(|row| (row * step_us, (row + 1) * step_us));
        UsageLine {
            what: of.what,
            cpu_cores: steps.clone().map(|step| cores(&of.looks, step)).collect(),
            rss_bytes: steps.map(|step| memory(&of.looks, step)).collect(),
        }
    };
    seen.map(line).collect()
}

fn cores(looks: &[UsageLook], (from_us, to_us): (u64, u64)) -> Option<f64> {
    let (first, last) = (looks.first()?, looks.last()?);
    let (begin_us, end_us) = (from_us.max(first.at_us), to_us.min(last.at_us));
    let covered_us = end_us.saturating_sub(begin_us);
    if covered_us as f64 <= (to_us - from_us) as f64 * COVERED_RATIO_MIN - 1.0 {
        return None;
    }
    let used = used_up_to(looks, end_us)? - used_up_to(looks, begin_us)?;
    Some(thousandths(used / seconds(covered_us.max(1))))
}

/// Evenly between two looks.
fn used_up_to(looks: &[UsageLook], at_us: u64) -> Option<f64> {
    let next = looks.partition_point(|look| look.at_us <= at_us);
    let before = looks.get(next.checked_sub(1)?)?;
    let Some(after) = looks.get(next) else {
        return Some(before.cpu_seconds);
    };
    let passed = seconds(at_us - before.at_us) / seconds(after.at_us - before.at_us);
    Some(before.cpu_seconds + (after.cpu_seconds - before.cpu_seconds) * passed)
}

fn memory(looks: &[UsageLook], (from_us, to_us): (u64, u64)) -> Option<u64> {
    let next = looks.partition_point(|look| look.at_us <= to_us);
    let last = looks.get(next.checked_sub(1)?)?;
    (last.at_us + STALE_US >= from_us).then_some(last.rss_bytes)
}

/// Short in the file, and read back as it was written.
fn thousandths(value: f64) -> f64 {
    units::rounded(value.max(0.0) * 1e3) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at_s: f64, cpu_seconds: f64, rss_bytes: u64) -> UsageLook {
        UsageLook {
            at_us: units::rounded(at_s * 1e6),
            cpu_seconds,
            rss_bytes,
        }
    }

    fn of(looks: Vec<UsageLook>) -> Vec<UsageLooks> {
        vec![UsageLooks {
            what: Consumer::Server,
            looks,
        }]
    }

    #[test]
    fn use_between_looks_belongs_to_the_steps_it_falls_into() {
        let looks = vec![
            look(0.5, 1.0, 10),
            look(1.5, 2.0, 20),
            look(2.5, 2.0, 30),
            look(3.5, 2.5, 40),
        ];
        let lines = lines(&of(looks), US_PER_S, 5);
        let [line] = &lines[..] else {
            panic!("{lines:?}");
        };
        // Half a second at 1.0; half at 1.0 and half at 0; half at 0 and half at 0.5; half at 0.5; nothing known.
        let cores = [Some(1.0), Some(0.5), Some(0.25), Some(0.5), None];
        assert_eq!(line.cpu_cores, cores);
        let memory = [Some(10), Some(20), Some(30), Some(40), Some(40)];
        assert_eq!(line.rss_bytes, memory);
    }

    #[test]
    fn one_look_is_no_line_and_what_is_gone_has_no_memory() {
        assert!(lines(&of(vec![look(0.5, 1.0, 10)]), US_PER_S, 5).is_empty());
        let gone = lines(
            &of(vec![look(0.1, 1.0, 10), look(1.1, 1.5, 10)]),
            US_PER_S,
            8,
        );
        assert_eq!(gone[0].rss_bytes[2], Some(10));
        assert_eq!(gone[0].rss_bytes[7], None);
        assert_eq!(gone[0].cpu_cores[7], None);
    }
}
