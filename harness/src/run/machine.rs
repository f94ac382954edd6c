//! This module tells apart who used the processors while the machine was full.
//!
//! **In:** the full stretches that the monitor saw, and once a second what the processes of the run had used.
//! **Out:** a [`BusySpan`] for each.
//!
//! **Units:** microseconds since load start; seconds of processor time.

use crate::environment::ProcessSample;
use crate::monitor::MachineAccount;
use crate::result::BusySpan;
use crate::units;

/// Samples kept: a day of them.
const SAMPLES_MAX: usize = 100_000;

/// What the processes of a run used, over time.
#[derive(Debug, Default)]
pub(super) struct Uses {
    samples: Vec<Used>,
    server: Counted,
    redis: Counted,
    edge: Counted,
    load: Counted,
    has_server: bool,
}

/// Used from the first sample on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Used {
    at_us: u64,
    server: f64,
    helpers: f64,
    /// By processes of the load beside this one.
    load: f64,
}

impl Used {
    const fn each(&self) -> [f64; 3] {
        [self.server, self.helpers, self.load]
    }
}

/// Processor time of one process after the other, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    last: Option<f64>,
    sum: f64,
}

impl Counted {
    fn add(&mut self, now: Option<f64>) {
        let Some(now) = now else { return };
        let grown = self.last.map_or(0.0, |last| now - last);
        // One that began anew, or of several one that is gone: what it used since the last sample is not known.
        self.sum += grown.max(0.0);
        self.last = Some(now);
    }
}

impl Uses {
    pub(super) fn add(&mut self, at_us: u64, now: &ProcessSample) {
        self.server.add(now.server.map(|of| of.cpu_seconds));
        self.redis.add(now.redis.map(|of| of.cpu_seconds));
        self.edge.add(now.edge.map(|of| of.cpu_seconds));
        self.load.add(now.load.map(|of| of.cpu_seconds));
        self.has_server |= now.server.is_some();
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Used {
                at_us,
                server: self.server.sum,
                helpers: self.redis.sum + self.edge.sum,
                load: self.load.sum,
            });
        }
    }

    /// Used up to a moment, evenly between two samples: by the server, by helpers, by processes of the load.
    fn up_to(&self, at_us: u64) -> [f64; 3] {
        let next = self.samples.partition_point(|used| used.at_us <= at_us);
        let before = next
            .checked_sub(1)
            .and_then(|place| self.samples.get(place));
        match (before, self.samples.get(next)) {
            (Some(before), Some(after)) => {
                let passed = (at_us - before.at_us) as f64 / (after.at_us - before.at_us) as f64;
                let (from, to) = (before.each(), after.each());
                std::array::from_fn(|place| from[place] + (to[place] - from[place]) * passed)
            }
            (Some(only), None) | (None, Some(only)) => only.each(),
            (None, None) => [0.0; 3],
        }
    }

    /// The full stretches with who used how much.
    pub(super) fn spans(&self, machine: &MachineAccount) -> Vec<BusySpan> {
        let each = machine.stretches.iter().map(|stretch| {
            let (from, to) = (self.up_to(stretch.from_us), self.up_to(stretch.to_us));
            let [server, helpers, load] = std::array::from_fn(|place| to[place] - from[place]);
            let harness = stretch.own_cpu_seconds + load;
            let length_s = (stretch.to_us - stretch.from_us) as f64 / 1e6;
            let used = stretch.busy_ratio * machine.cores * length_s;
            let own = harness + server + helpers;
            BusySpan {
                from_us: stretch.from_us,
                to_us: stretch.to_us,
                busy_ratio: thousandths(stretch.busy_ratio),
                harness_cpu_seconds: thousandths(harness),
                server_cpu_seconds: self.has_server.then_some(thousandths(server)),
                helpers_cpu_seconds: thousandths(helpers),
                other_cpu_seconds: thousandths((used - own).max(0.0)),
            }
        });
        each.collect()
    }
}

/// Short in the file, and read back as it was written.
fn thousandths(value: f64) -> f64 {
    units::rounded(value * 1e3) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::ProcessUse;
    use crate::monitor::BusyStretch;

    fn sample(server: f64, redis: f64) -> ProcessSample {
        let used = |cpu_seconds| {
            Some(ProcessUse {
                cpu_seconds,
                ..ProcessUse::default()
            })
        };
        ProcessSample {
            server: used(server),
            redis: used(redis),
            ..ProcessSample::default()
        }
    }

    #[test]
    fn what_nobody_of_the_run_used_was_used_by_others() {
        let mut uses = Uses::default();
        // The server begins anew at 3 s.
        let seen = [(5.0, 1.0), (6.0, 1.2), (7.0, 1.4), (0.5, 1.6), (1.5, 1.8)];
        for (second, (server, redis)) in (0..).zip(seen) {
            uses.add(second * 1_000_000, &sample(server, redis));
        }
        let machine = MachineAccount {
            cores: 2.0,
            stretches: vec![BusyStretch {
                from_us: 500_000,
                to_us: 3_500_000,
                busy_ratio: 1.0,
                own_cpu_seconds: 1.0,
            }],
            ..MachineAccount::default()
        };
        let span = uses.spans(&machine)[0];
        // Half a second of 1.0, a second of 1.0, one that is not known, half of 1.0.
        assert_eq!(span.server_cpu_seconds, Some(2.0));
        assert_eq!(
            (span.helpers_cpu_seconds, span.other_cpu_seconds),
            (0.6, 2.4)
        );
        assert_eq!(Uses::default().spans(&machine)[0].server_cpu_seconds, None);
    }
}
