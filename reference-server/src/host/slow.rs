//! Makes the server slower on purpose, by a stated share of the processor time it uses.
//!
//! **In:** the share. **Out:** processor time used up by [`SlowCpu::burn`], which each step of a message
//! calls before it begins: reading from a socket, rate limit, queue, worker, delivery.
//!
//! What is measured is the processor time of the thread since its last step, by the kernel's clock of
//! that thread. So everything the thread did counts: the step itself, the runtime around it, the
//! kernel's part of its system calls. It is paid for before the next step of that thread, and that step
//! waits meanwhile. No thread sleeps and nothing is delayed that costs no processor time: the planned
//! waits of an answer stay as long as they are.
//!
//! This is no `defect`: it breaks no promise of the contract. It is what a slower build
//! of the server looks like, for tests of those who must find one.

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::OnceLock;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Most of a share: eleven times the work.
const SHARE_MAX: f64 = 10.0;
/// Most that one step pays: what a thread did before its first step is not to stop it for long.
const BURN_MAX_S: f64 = 0.1;
/// Turns between two looks at the clock, each of which is a system call.
const TURNS: u32 = 16;
/// Looks at the clock from which it is known how long one takes.
const READINGS: u32 = 1000;

/// What a thread has to pay.
#[derive(Debug, Clone, Copy)]
struct Account {
    /// Its processor time until when all is accounted for.
    settled: Duration,
    /// Seconds; below zero where more was paid.
    owed_s: f64,
}

thread_local! {
    static ACCOUNT: Cell<Account> = const {
        Cell::new(Account {
            settled: Duration::ZERO,
            owed_s: 0.0,
        })
    };
}

/// How much more processor time the server uses for a message than it needs: 0.1 is a tenth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct SlowCpu {
    share: f64,
}

impl SlowCpu {
    /// Reads `10%`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%').map(str::trim_end);
        let percent: Option<f64> = number.and_then(|number| number.parse().ok());
        let share = percent
            .map(|percent| percent / 100.0)
            .filter(|share| (0.0..=SHARE_MAX).contains(share));
        share
            .map(|share| Self { share })
            .ok_or_else(|| "must be a share from 0% to 1000%; write for example `10%`".to_owned())
    }

    /// Whether it is a share at all.
    fn is_on(self) -> bool {
        self.share > 0.0
    }

    /// Tells those who read the log, who would wonder.
    pub(crate) fn announce(self) {
        if self.is_on() {
            let percent = self.share * 100.0;
            tracing::warn!(
                "--slow-cpu: each message takes {percent} % more processor time than it needs"
            );
        }
    }

    /// Uses up the share of what this thread has used since it was last here.
    pub(crate) fn burn(self) {
        if !self.is_on() {
            return;
        }
        let begun = thread_cpu();
        let mut account = ACCOUNT.get();
        let reading_s = reading_s();
        let used_s = begun.saturating_sub(account.settled).as_secs_f64() - reading_s;
        // The look at the clock is work that is done for nothing, too.
        account.owed_s += used_s.max(0.0) * self.share - reading_s;
        let owed = Duration::from_secs_f64(account.owed_s.clamp(0.0, BURN_MAX_S));
        let mut now = begun;
        while now.saturating_sub(begun) < owed {
            for _ in 0..TURNS {
                spin_loop();
            }
            now = thread_cpu();
        }
        let burnt = now.saturating_sub(begun);
        // More than was owed is kept for the next step, and what is over the bound is let go.
        account.owed_s = account.owed_s.min(BURN_MAX_S) - burnt.as_secs_f64();
        account.settled = now;
        ACCOUNT.set(account);
    }
}

/// Processor time this thread has used, in user and kernel mode; nothing where the kernel has no such clock.
fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Seconds that one look at the clock takes, measured once.
fn reading_s() -> f64 {
    static READING_S: OnceLock<f64> = OnceLock::new();
    *READING_S.get_or_init(|| {
        let begun = thread_cpu();
        let ended = (0..READINGS).fold(begun, |_, _| thread_cpu());
        ended.saturating_sub(begun).as_secs_f64() / f64::from(READINGS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processor time used by this thread for a fixed piece of work in many steps.
    fn used(slow: SlowCpu) -> Duration {
        slow.burn();
        let before = thread_cpu();
        for step in 0..100_u64 {
            let work: u64 = (0..20_000).fold(step, |sum, turn| std::hint::black_box(sum ^ turn));
            std::hint::black_box(work);
            slow.burn();
        }
        thread_cpu().saturating_sub(before)
    }

    #[test]
    fn a_share_of_the_work_is_done_again() {
        let [plain, slowed] = ["0%", "100%"].map(|text| SlowCpu::parse(text).unwrap());
        // The middle of many, in turn: a machine that changes its speed does so to some pairs only.
        let ratio = || used(slowed).as_secs_f64() / used(plain).as_secs_f64();
        let mut ratios: Vec<f64> = (0..31).map(|_| ratio()).collect();
        ratios.sort_by(f64::total_cmp);
        let middle = ratios[ratios.len() / 2];
        assert!((1.7..=2.3).contains(&middle), "{ratios:?}");
    }

    #[test]
    fn a_share_is_a_percentage_within_bounds() {
        let share = |text| SlowCpu::parse(text).map(|slow| slow.share);
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share(" 0 % "), Ok(0.0));
        assert_eq!(share("1000%"), Ok(10.0));
        for wrong in ["10", "0.1", "", "%", "-1%", "1001%", "NaN%", "inf%", "ten%"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
