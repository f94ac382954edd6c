//! This module reads time; nothing else in the harness does.
//!
//! **In:** the kernel's clocks. **Out:** nanoseconds on the monotonic clock, and microseconds since
//! the start of the load ([`RunClock`]).
//!
//! **Units:** `*_ns` are nanoseconds on `CLOCK_MONOTONIC`; `*_us` are whole microseconds since load
//! start. `CLOCK_REALTIME` serves two ends only: dating a run, and carrying the kernel's receive
//! stamps (which use it) over to the monotonic clock.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};

const NS_PER_US: u64 = 1_000;
pub(crate) const NS_PER_S: u64 = 1_000_000_000;

fn read_ns(id: ClockId) -> u64 {
    // The clocks named below exist on every Linux this can be built for.
    clock_gettime(id).map_or(0, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
        seconds * NS_PER_S + nanoseconds
    })
}

/// `CLOCK_MONOTONIC`, in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    read_ns(ClockId::CLOCK_MONOTONIC)
}

/// `CLOCK_REALTIME`, in nanoseconds since 1970.
pub(crate) fn wall_ns() -> u64 {
    read_ns(ClockId::CLOCK_REALTIME)
}

/// Readings of both clocks, of which the one least disturbed counts.
const PAIR_TRIES: usize = 5;

/// How far `CLOCK_REALTIME` is ahead of `CLOCK_MONOTONIC` now, in nanoseconds. A thread that is set aside between the
/// two would be wrong by as much: of several readings the one least disturbed in between counts.
pub(crate) fn wall_offset_ns() -> u64 {
    let reading = || {
        let before = monotonic_ns();
        let wall = wall_ns();
        let width = monotonic_ns().saturating_sub(before);
        (width, wall.saturating_sub(before + width / 2))
    };
    let readings = (0..PAIR_TRIES).map(|_| reading());
    readings
        .min_by_key(|(width, _)| *width)
        .map_or(0, |(_, offset)| offset)
}

/// Processor time used by all threads of this process, in nanoseconds.
pub(crate) fn process_cpu_ns() -> u64 {
    read_ns(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// Processor time used by the calling thread, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    read_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// How often the calling thread slept so far: its voluntary context switches.
pub(crate) fn thread_sleeps() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD);
    usage.map_or(0, |usage| {
        u64::try_from(usage.voluntary_context_switches()).unwrap_or(0)
    })
}

/// The run's own clock: microseconds since the load started.
///
/// Cheap to copy; every thread of a run holds the same zero. Moments before the start read as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunClock {
    zero_ns: u64,
}

impl RunClock {
    /// A clock whose zero lies `lead` from now: the moment at which the load is to start.
    pub(crate) fn starting_in(lead: Duration) -> Self {
        let lead_ns = u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX);
        Self {
            zero_ns: monotonic_ns().saturating_add(lead_ns),
        }
    }

    /// The clock of another process of this machine, whose zero is that moment of the monotonic clock.
    pub(crate) const fn with_zero(zero_ns: u64) -> Self {
        Self { zero_ns }
    }

    /// Microseconds since load start, now.
    pub(crate) fn now_us(self) -> u64 {
        self.at_us(monotonic_ns())
    }

    /// A monotonic stamp on the run clock.
    pub(crate) const fn at_us(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_sub(self.zero_ns) / NS_PER_US
    }

    /// A moment of the run clock on the monotonic clock, to sleep until or to compare with.
    pub(crate) const fn monotonic_ns_at(self, us: u64) -> u64 {
        self.zero_ns.saturating_add(us.saturating_mul(NS_PER_US))
    }

    /// A moment of the run clock on the wall clock, as it goes now.
    pub(crate) fn wall_ns_at(self, us: u64) -> u64 {
        self.monotonic_ns_at(us).saturating_add(wall_offset_ns())
    }

    /// The clock of a process of another machine, whose zero is that moment of the wall clock.
    pub(crate) fn with_wall_zero(zero_wall_ns: u64) -> Self {
        Self {
            zero_ns: zero_wall_ns.saturating_sub(wall_offset_ns()),
        }
    }

    /// How long from now until `us`; zero when it has passed.
    pub(crate) fn until(self, us: u64) -> Duration {
        Duration::from_nanos(self.monotonic_ns_at(us).saturating_sub(monotonic_ns()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_alike() {
        let first = wall_offset_ns();
        assert!(wall_offset_ns().abs_diff(first) < 50_000_000);
    }

    #[test]
    fn a_moment_of_the_wall_clock_is_the_same_in_every_process() {
        let clock = RunClock::starting_in(Duration::from_secs(3));
        let other = RunClock::with_wall_zero(clock.wall_ns_at(0));
        assert!(other.zero_ns.abs_diff(clock.zero_ns) < 1_000_000);
    }
}
