//! This module is what a lane does a few times a second: marks deadlines, publishes, measures
//! itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Lane;
use crate::client::stream::traffic;
use crate::clock::{monotonic_ns, thread_cpu_ns, thread_sleeps};

/// How often.
pub(super) const EVERY: Duration = Duration::from_millis(250);
/// Calls per second.
const PER_S: usize = 4;

/// What the last second looked like.
#[derive(Debug)]
pub(super) struct Housekeeping {
    /// Attempts, processor time and clock at the last [`PER_S`] calls.
    marks: [Mark; PER_S],
    calls: usize,
    /// Oldest message without an end, by part of the clients.
    oldest_us: [u64; PER_S],
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            marks: Default::default(),
            calls: 0,
            oldest_us: [u64::MAX; PER_S],
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    sent: u64,
    cpu_ns: u64,
    at_ns: u64,
}

impl Housekeeping {
    pub(super) fn call(&mut self, lane: &Lane) {
        let context = &lane.context;
        context.set_wall_offset();
        let now_us = context.job().clock.now_us();
        // A part of the clients each time: to walk through the memory of thousands is dear.
        let part = self.calls % PER_S;
        let oldest = lane.expire(now_us, (part, PER_S));
        self.oldest_us[part] = oldest.unwrap_or(u64::MAX);
        let oldest_us = self.oldest_us.into_iter().min().unwrap_or(u64::MAX);
        let counters = &context.job().counters;
        let index = usize::from(lane.index);
        if let Some(gauge) = counters.oldest_us.get(index) {
            gauge.store(oldest_us, Ordering::Relaxed);
        }
        let traffic = traffic();
        if let Some(gauge) = counters.lane_wakes.get(index) {
            gauge.store(thread_sleeps(), Ordering::Relaxed);
        }
        for (gauges, bytes) in [
            (&counters.read_bytes, traffic.read_bytes),
            (&counters.written_bytes, traffic.written_bytes),
        ] {
            if let Some(gauge) = gauges.get(index) {
                gauge.store(bytes, Ordering::Relaxed);
            }
        }
        context.recorder().publish_recent();
        let mark = Mark {
            sent: context.sent_so_far(),
            cpu_ns: thread_cpu_ns(),
            at_ns: monotonic_ns(),
        };
        let before = std::mem::replace(&mut self.marks[self.calls % PER_S], mark);
        self.calls += 1;
        if self.calls > PER_S {
            let passed_ns = (mark.at_ns - before.at_ns).max(1);
            let per_s = |count: u64| u128::from(count) * 1_000_000_000 / u128::from(passed_ns);
            let sent = per_s(mark.sent - before.sent);
            lane.sent_per_s.set(u64::try_from(sent).unwrap_or(u64::MAX));
            let busy_ns = mark.cpu_ns.saturating_sub(before.cpu_ns);
            let permille = u128::from(busy_ns) * 1_000 / u128::from(passed_ns);
            if let Some(gauge) = counters.lane_busy_permille.get(index) {
                gauge.store(u64::try_from(permille).unwrap_or(0), Ordering::Relaxed);
            }
        }
        lane.reap();
    }
}

impl Lane {
    /// Marks what has passed its deadline, in every `parts`th client from `part` on; the oldest message without an end.
    fn expire(&self, now_us: u64, (part, parts): (usize, usize)) -> Option<u64> {
        let slots = self.clients.borrow().len();
        let mut oldest_us = None;
        for slot in (part..slots).step_by(parts) {
            let client = self.clients.borrow().get(slot).cloned().flatten();
            let oldest =
                client.and_then(|client| client.borrow_mut().expire(&self.context, now_us));
            oldest_us = [oldest_us, oldest].into_iter().flatten().min();
        }
        oldest_us
    }

    /// Lets go of tasks that have ended.
    fn reap(&self) {
        let mut tasks = self.tasks.borrow_mut();
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                // A bug of ours; the messages of its client are settled at the end all the same.
                tracing::error!(%error, "a session task ended in a panic");
            }
        }
    }
}
