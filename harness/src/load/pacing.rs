//! This module wakes a lane for what is due, and for nothing else.
//!
//! **In:** due times of clients. **Out:** the clients, in order, when their time has come.
//!
//! One pacer per lane; no timer per client. Sleeping has one rule. While frames can wait, because
//! the kernel stamps them, the thread sleeps blocking until the next due moment or millisecond,
//! whichever is first, and then takes everything that came meanwhile: few wakes, exact sends; on a tick
//! (`pacing`) fewer still, and sends that wait for it.
//! Otherwise (a connect is under way, too few messages, closed model) it waits in `epoll` with one
//! absolute `timerfd`. tokio's own timers round up to a millisecond and are not used for sends.
//!
//! **Units:** nanoseconds on the monotonic clock.
//! **Source:** wrk2 (a send keeps its planned moment); `timerfd_settime(2)`, absolute.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockNanosleepFlags, clock_nanosleep};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::{NS_PER_S, monotonic_ns};

/// How long a frame may wait to be read while the lane sleeps.
const LAZY_NS: u64 = 1_000_000;

/// Due times of clients, and the lane's one timer.
#[derive(Debug)]
pub(super) struct Pacer {
    due: RefCell<BinaryHeap<Reverse<(u64, u32)>>>,
    timer: Alarm,
    /// What sends wait for; `None`: for nothing.
    tick: Option<Tick>,
}

/// Moments at which a lane sends what is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    pub every_ns: u64,
    /// The first of them after zero.
    pub offset_ns: u64,
}

impl Tick {
    /// The first at or after a moment; never stays never.
    fn after(self, ns: u64) -> u64 {
        let every_ns = self.every_ns.max(1);
        let ticks = ns.saturating_sub(self.offset_ns).div_ceil(every_ns);
        ticks
            .saturating_mul(every_ns)
            .saturating_add(self.offset_ns)
    }
}

impl Pacer {
    pub(super) fn new(tick: Option<Tick>) -> Result<Self, io::Error> {
        Ok(Self {
            due: RefCell::new(BinaryHeap::new()),
            timer: Alarm::new()?,
            tick,
        })
    }

    /// Wakes the lane for `slot` at that moment.
    pub(super) fn at(&self, due_ns: u64, slot: u32) -> Result<(), io::Error> {
        self.due.borrow_mut().push(Reverse((due_ns, slot)));
        let wake_ns = self.wake_ns(due_ns);
        if wake_ns < self.timer.armed_ns.load(Ordering::Relaxed) {
            self.timer.arm(wake_ns)?;
        }
        Ok(())
    }

    /// Takes the earliest entry if its moment has come: the moment, and whose it is.
    pub(super) fn take_due(&self, now_ns: u64) -> Option<(u64, u32)> {
        let mut due = self.due.borrow_mut();
        let &Reverse((at_ns, slot)) = due.peek()?;
        (at_ns <= now_ns).then(|| {
            due.pop();
            (at_ns, slot)
        })
    }

    /// The earliest moment.
    pub(super) fn next_ns(&self) -> u64 {
        let due = self.due.borrow();
        due.peek().map_or(u64::MAX, |entry| entry.0.0)
    }

    /// When to wake for what is due then.
    fn wake_ns(&self, due_ns: u64) -> u64 {
        self.tick.map_or(due_ns, |tick| tick.after(due_ns))
    }

    /// Waits in `epoll` until the earliest moment, those added meanwhile included.
    pub(super) async fn wait(&self) -> Result<(), io::Error> {
        self.timer.arm(self.wake_ns(self.next_ns()))?;
        self.timer.rings().await
    }

    /// Lets every session with something to read run, then blocks the thread until the earliest
    /// moment, or the tick after it, for at most a millisecond.
    pub(super) async fn doze(&self) {
        tokio::task::yield_now().await;
        let now_ns = monotonic_ns();
        let grid_ns = (now_ns / LAZY_NS + 1) * LAZY_NS;
        let until_ns = self.wake_ns(self.next_ns()).min(grid_ns);
        if until_ns > now_ns {
            let slept = clock_nanosleep(
                nix::time::ClockId::CLOCK_MONOTONIC,
                ClockNanosleepFlags::TIMER_ABSTIME,
                &time_spec(until_ns),
            );
            if slept.is_err() {
                tracing::trace!("woken early: the caller's loop turns once more");
            }
        }
    }
}

/// One absolute timer in a tokio runtime, exact to tens of microseconds.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: AsyncFd<RawTimer>,
    /// When it rings; `u64::MAX`: it does not.
    armed_ns: AtomicU64,
}

impl Alarm {
    /// Must be called within a runtime that drives I/O.
    pub(super) fn new() -> Result<Self, io::Error> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; this descriptor is owned, and open as long as the timer"
        )]
        let timer = AsyncFd::with_interest(RawTimer(timer), Interest::READABLE)?;
        Ok(Self {
            timer,
            armed_ns: AtomicU64::new(u64::MAX),
        })
    }

    pub(super) fn arm(&self, at_ns: u64) -> Result<(), io::Error> {
        self.armed_ns.store(at_ns, Ordering::Relaxed);
        if at_ns == u64::MAX {
            self.timer.get_ref().0.unset()?;
            return Ok(());
        }
        // Zero would disarm it.
        let expiration = Expiration::OneShot(time_spec(at_ns.max(1)));
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        self.timer.get_ref().0.set(expiration, flags)?;
        Ok(())
    }

    pub(super) async fn rings(&self) -> Result<(), io::Error> {
        // Setting it again resets it, so the count of expirations is never read.
        let mut guard = self.timer.readable().await?;
        guard.clear_ready();
        self.armed_ns.store(u64::MAX, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Debug)]
struct RawTimer(TimerFd);

impl AsRawFd for RawTimer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

fn time_spec(ns: u64) -> TimeSpec {
    TimeSpec::from_duration(Duration::new(
        ns / NS_PER_S,
        u32::try_from(ns % NS_PER_S).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_never_early_and_never_a_whole_one_late() {
        let tick = Tick {
            every_ns: 500_000,
            offset_ns: 125_000,
        };
        for (ns, after_ns) in [
            (0, 125_000),
            (125_000, 125_000),
            (125_001, 625_000),
            (7_000_000, 7_125_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(tick.after(ns), after_ns);
        }
    }
}
