//! This module follows what the target counts of its own sockets, tokens and conversations.
//!
//! **In:** pages of its counters, one per recorder interval, where the plan expects something of them.
//! **Out:** peaks, and what was left when everything was over. A target that does not count a thing leaves
//! it `None`. A client that misbehaves does not know that it does: so it is judged from here.
//!
//! **Units:** sockets, tokens, conversations.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::environment::Environment;
use crate::plan::Plan;
use crate::result::ServerAccount;
use crate::scenario::expectation::Quantity;

/// Sockets open now.
const OPEN: &str = "chat_connections_open";
/// Sockets opened so far.
const OPENED: &str = "chat_connections_opened_total";
/// Tokens that were not accepted because they are unknown.
const REFUSED: &str = "chat_tokens_refused_total{reason=\"unknown\"}";
/// Conversations with a socket or an unfinished answer.
const CONVERSATIONS: &str = "active_conversations";
/// Its resident memory, by the name of every Prometheus library.
const MEMORY: &str = "process_resident_memory_bytes";
/// How long a server may take to let go of what is over, and how often it is asked.
const LETTING_GO: Duration = Duration::from_secs(5);
const ASKED_EVERY: Duration = Duration::from_millis(250);

/// The target's samples by name with labels.
type Page = BTreeMap<String, f64>;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Sockets opened so far, and when that was read.
    opened: Option<(u64, u64)>,
    open_peak: Option<u64>,
    connects_peak: Option<u64>,
    load_us: u64,
    /// Clients come until then, and memory with them.
    ramp_us: u64,
    /// It began anew meanwhile.
    restarted: bool,
    /// By quarter of the load: the sum of what its memory was at each look, and how many those were.
    memory: [(u64, u64); 4],
}

impl Counts {
    /// `None` where the plan expects nothing of the target's counters: then they are not read all the time.
    pub(super) fn wanted(plan: &Plan) -> Option<Self> {
        let mut expected = plan.expect.iter();
        let wanted = expected.any(|expected| matches!(expected.what, Quantity::Server { .. }));
        wanted.then(|| Self {
            load_us: plan.load.load_us(),
            ramp_us: plan.load.ramp_end_us(),
            ..Self::default()
        })
    }

    /// A page, read at `now_us`. What grew in more than about `interval_us` was no burst.
    pub(super) fn look(&mut self, page: &Page, now_us: u64, interval_us: u64) {
        self.open_peak = self.open_peak.max(count(page, OPEN));
        let opened = count(page, OPENED);
        if let (Some((before, at_us)), Some(now)) = (self.opened, opened) {
            let in_time = now_us.saturating_sub(at_us) * 2 <= interval_us * 3;
            // A server that began anew counts from 0: nothing is known of that interval.
            match now.checked_sub(before) {
                Some(grown) if in_time => {
                    self.connects_peak = self.connects_peak.max(Some(grown));
                }
                Some(_) => {}
                None => self.restarted = true,
            }
        }
        self.opened = opened.map(|opened| (opened, now_us));
        let quarter = usize::try_from(now_us * 4 / self.load_us.max(1)).unwrap_or(usize::MAX);
        if let (Some((sum, looks)), Some(bytes)) =
            (self.memory.get_mut(quarter), count(page, MEMORY))
        {
            *sum += bytes;
            *looks += 1;
        }
    }

    /// From the second quarter of the load to the last; the first is the ramp's. `None` where it was longer, or the
    /// server began anew.
    fn memory_growth_bytes(&self) -> Option<u64> {
        if self.restarted || self.ramp_us > self.load_us / 4 {
            return None;
        }
        let mean = |quarter: usize| {
            let (sum, looks) = self.memory[quarter];
            sum.checked_div(looks)
        };
        Some(mean(3)?.saturating_sub(mean(1)?))
    }

    /// Adds what was seen to the account of the target, and waits until it has let go of what is over.
    pub(super) async fn finish(
        self,
        environment: &Environment,
        before: Option<&Page>,
        account: &mut ServerAccount,
    ) {
        account.open_peak = self.open_peak;
        account.connects_peak = self.connects_peak;
        account.memory_growth_bytes = self.memory_growth_bytes();
        let refused = |page: &Page| count(page, REFUSED);
        let refused_before = before.and_then(refused).unwrap_or(0);
        let held_before = before
            .and_then(|page| count(page, CONVERSATIONS))
            .unwrap_or(0);
        let letting_go = async {
            loop {
                let page = environment.server_metrics().await.unwrap_or_default();
                account.tokens_refused =
                    refused(&page).map(|now| now.saturating_sub(refused_before));
                let held = count(&page, CONVERSATIONS);
                account.conversations_left = held.map(|now| now.saturating_sub(held_before));
                if account.conversations_left.is_none_or(|left| left == 0) {
                    return;
                }
                tokio::time::sleep(ASKED_EVERY).await;
            }
        };
        // What is left after this counts.
        drop(tokio::time::timeout(LETTING_GO, letting_go).await);
    }
}

fn count(page: &Page, name: &str) -> Option<u64> {
    page.get(name).map(|&value| crate::units::rounded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(open: f64, opened: f64) -> Page {
        [(OPEN.to_owned(), open), (OPENED.to_owned(), opened)].into()
    }

    #[test]
    fn memory_is_compared_between_quarters_of_the_load() {
        let mut counts = Counts {
            load_us: 8,
            ..Counts::default()
        };
        // Large while it starts, and once more when the load is over.
        for (at_us, bytes) in (0..).zip([900.0, 800.0, 100.0, 120.0, 1.0, 2.0, 200.0, 220.0, 999.0])
        {
            counts.look(&[(MEMORY.to_owned(), bytes)].into(), at_us, 1);
        }
        assert_eq!(counts.memory_growth_bytes(), Some(100));
        counts.ramp_us = 3;
        assert_eq!(counts.memory_growth_bytes(), None);
        assert_eq!(Counts::default().memory_growth_bytes(), None);
    }

    #[test]
    fn a_burst_is_what_came_between_two_looks() {
        let mut counts = Counts::default();
        let seen = [(0.0, 100.0), (20.0, 120.0), (30.0, 180.0), (10.0, 181.0)];
        for (at, (open, opened)) in (0..).zip(seen) {
            counts.look(&page(open, opened), at * 250, 250);
        }
        assert_eq!(
            (counts.open_peak, counts.connects_peak),
            (Some(30), Some(60))
        );
        // Begun anew; and late.
        counts.look(&page(5.0, 7.0), 1_000, 250);
        counts.look(&page(5.0, 900.0), 1_500, 250);
        assert_eq!(counts.connects_peak, Some(60));
    }

    #[test]
    fn a_target_that_does_not_count_leaves_nothing_known() {
        let mut counts = Counts::default();
        counts.look(&Page::new(), 0, 250);
        assert_eq!((counts.open_peak, counts.connects_peak), (None, None));
    }
}
