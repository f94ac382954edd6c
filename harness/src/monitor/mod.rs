//! This module watches the harness itself: processor, memory, files, clocks, and the machine.
//!
//! **In:** `/proc/self`, the clocks, the lanes' busy shares, and what [`machine`] looks at. **Out:** a
//! [`Generator`].
//!
//! A thread that only sleeps tells pauses of the whole machine apart from a harness that is late:
//! when even that thread wakes more than [`PAUSE_MIN`] late, nobody could have been on time.
//!
//! **Units:** microseconds since load start, or microseconds; bytes; seconds of processor time.

mod machine;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

#[cfg(test)]
pub(crate) use self::machine::BusyStretch;
use self::machine::Machine;
pub(crate) use self::machine::MachineAccount;
use crate::allowance::files_of;
use crate::clock::{RunClock, monotonic_ns, process_cpu_ns, wall_offset_ns};
use crate::record::counters::Counters;
use crate::record::generator::{Generator, Pause};

/// How long the sleeping thread sleeps.
const NAP: Duration = Duration::from_millis(5);
/// Oversleeping that counts as a pause of the machine.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// Pauses kept one by one.
const PAUSES_MAX: usize = 1_000;
/// How often memory, lanes and clocks are sampled.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// Samples between two counts of open files (listing thousands takes milliseconds).
const FILES_EVERY: u32 = 20;
/// Samples over which a lane's busy share is averaged: 5 s.
const BUSY_SAMPLES: usize = 20;
/// Samples between two looks at the clocks and at the machine: 1 s.
const CLOCK_EVERY: u32 = 4;

/// The two threads that watch.
#[derive(Debug)]
pub(crate) struct Monitor {
    stop: Arc<AtomicBool>,
    cpu_start_ns: u64,
    sleeper: JoinHandle<Generator>,
    sampler: JoinHandle<(Generator, MachineAccount)>,
}

impl Monitor {
    /// Starts watching.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub(crate) fn start(clock: RunClock, counters: Arc<Counters>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sleeper_stop, sampler_stop) = (Arc::clone(&stop), Arc::clone(&stop));
        let sleeper = Builder::new()
            .name("pauses".to_owned())
            .spawn(move || watch_pauses(clock, &sleeper_stop))?;
        let sampler = Builder::new()
            .name("monitor".to_owned())
            .spawn(move || watch_self(&counters, clock, &sampler_stop))?;
        Ok(Self {
            stop,
            cpu_start_ns: process_cpu_ns(),
            sleeper,
            sampler,
        })
    }

    /// Stops watching; takes at most one sample's time. The stretches in which the machine was full come apart: who
    /// used it then is not known here.
    pub(crate) fn finish(self) -> (Generator, MachineAccount) {
        self.stop.store(true, Ordering::Relaxed);
        let cpu_ns = process_cpu_ns().saturating_sub(self.cpu_start_ns);
        let pauses = self.sleeper.join().unwrap_or_default();
        let (samples, machine) = self.sampler.join().unwrap_or_default();
        let generator = Generator {
            cpu_seconds: cpu_ns as f64 / 1e9,
            pauses: pauses.pauses,
            pauses_dropped: pauses.pauses_dropped,
            pause_total_us: pauses.pause_total_us,
            pause_max_us: pauses.pause_max_us,
            pause_max_at_us: pauses.pause_max_at_us,
            ..samples
        };
        (generator, machine)
    }
}

fn watch_pauses(clock: RunClock, stop: &AtomicBool) -> Generator {
    let mut account = Generator::default();
    while !stop.load(Ordering::Relaxed) {
        let start_ns = monotonic_ns();
        sleep(NAP);
        let slept = Duration::from_nanos(monotonic_ns().saturating_sub(start_ns));
        let over = slept.saturating_sub(NAP);
        // What was over before the load began held nobody up.
        if over < PAUSE_MIN || clock.now_us() == 0 {
            continue;
        }
        let over_us = u64::try_from(over.as_micros()).unwrap_or(u64::MAX);
        account.pause_total_us += over_us;
        let at_us = clock.at_us(start_ns);
        if over_us > account.pause_max_us {
            account.pause_max_us = over_us;
            account.pause_max_at_us = Some(at_us);
        }
        if account.pauses.len() < PAUSES_MAX {
            account.pauses.push(Pause {
                at_us,
                length_us: over_us,
            });
        } else {
            account.pauses_dropped += 1;
        }
    }
    account
}

fn watch_self(
    counters: &Counters,
    clock: RunClock,
    stop: &AtomicBool,
) -> (Generator, MachineAccount) {
    let mut account = Generator::default();
    let mut machine = Machine::new();
    let mut busy: Vec<VecDeque<u64>> = vec![VecDeque::new(); counters.lane_busy_permille.len()];
    let mut offset_ns = wall_offset_ns();
    for sample in 0_u32.. {
        account.rss_peak_bytes = account.rss_peak_bytes.max(anonymous_bytes());
        if sample.is_multiple_of(FILES_EVERY) {
            account.fds_peak = account.fds_peak.max(files_of("self"));
        }
        for (lane, history) in counters.lane_busy_permille.iter().zip(&mut busy) {
            history.push_back(lane.load(Ordering::Relaxed));
            if history.len() > BUSY_SAMPLES {
                history.pop_front();
            }
            if history.len() == BUSY_SAMPLES {
                let mean = history.iter().sum::<u64>() as f64 / (BUSY_SAMPLES as f64 * 1_000.0);
                if mean > account.lane_busy_ratio_max {
                    account.lane_busy_ratio_max = mean;
                    account.lane_busy_at_us = Some(clock.now_us());
                }
            }
        }
        if sample.is_multiple_of(CLOCK_EVERY) {
            let now_ns = wall_offset_ns();
            let step_us = now_ns.abs_diff(offset_ns) / 1_000;
            if step_us > account.clock_step_us {
                account.clock_step_us = step_us;
                account.clock_step_at_us = Some(clock.now_us());
            }
            offset_ns = now_ns;
            machine.look(clock);
            counters.used.set_machine(machine.latest());
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(SAMPLE_EVERY);
    }
    account.fds_peak = account.fds_peak.max(files_of("self"));
    account.wakes = Some(counters.wakes());
    let machine = machine.finish();
    account.machine_cores = Some(machine.cores).filter(|cores| *cores > 0.0);
    account.machine_busy_ratio_max = machine.busy_ratio_max;
    account.busy_dropped = machine.stretches_dropped;
    (account, machine)
}

/// Anonymous resident memory of this process.
pub(crate) fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_knows_memory_files_and_processor_time() {
        let counters = Arc::new(Counters::new(1));
        let clock = RunClock::starting_in(Duration::ZERO);
        let monitor = Monitor::start(clock, counters).unwrap();
        let mut work = 0_u64;
        while process_cpu_ns() < monitor.cpu_start_ns + 20_000_000 {
            work = work.wrapping_add(1);
        }
        let (account, _) = monitor.finish();
        assert!(
            account.cpu_seconds >= 0.02,
            "{account:?} after {work} turns"
        );
        assert!(account.rss_peak_bytes > 100_000, "{account:?}");
        assert!(account.fds_peak >= 3, "{account:?}");
    }
}
