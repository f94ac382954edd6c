//! This module holds what `/metrics` tells: the run so far, in Prometheus's words.
//!
//! **In:** counters, latencies since the last look, fault states. **Out:** a page of [`metric`].
//!
//! Bucket bounds include every latency the plan expects, exactly, so that a query can ask for the
//! share within a limit; a value is counted to the width of a recorder bucket (0.1 %).
//!
//! **Units:** seconds, as Prometheus has it. The verdict never comes from here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::now::FaultNow;
use crate::clock::RunClock;
use crate::metric::{self, Latencies, Page, Shares};
use crate::plan::Plan;
use crate::record::counters::{Counters, Recent};
use crate::record::histogram::SparseHistogram;
use crate::scenario::expectation::{Expectation, Outcome, Quantity};
use crate::stage::Stage;
use crate::units::seconds;

/// Bounds of every histogram, microseconds; the plan's own limits come on top.
const BOUNDS_US: [u64; 16] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];
/// Finer ones below a millisecond, for the harness's own lateness.
const LATENESS_BOUNDS_US: [u64; 10] = [10, 25, 50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000];
/// What has been seen since the load began.
#[derive(Debug, Default)]
struct Seen {
    response: [SparseHistogram; Stage::COUNT],
    lateness: SparseHistogram,
    /// By fault of the plan: in force now.
    in_force: Vec<bool>,
}

/// The run so far.
pub(super) struct Metrics {
    plan: Arc<Plan>,
    run_id: String,
    clock: RunClock,
    counters: Arc<Counters>,
    seen: Mutex<Seen>,
}

impl Metrics {
    pub(super) fn new(
        plan: Arc<Plan>,
        run_id: String,
        clock: RunClock,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            plan,
            run_id,
            clock,
            counters,
            seen: Mutex::default(),
        }
    }

    /// Adds what arrived since the last look.
    pub(super) fn add(&self, recent: &Recent, faults: &[FaultNow]) {
        // A poisoned lock means that a scrape panicked: the metrics stop, the run does not.
        if let Ok(mut seen) = self.seen.lock() {
            for (all, new) in seen.response.iter_mut().zip(&recent.response) {
                all.merge(new);
            }
            seen.lateness.merge(&recent.lateness);
            seen.in_force = faults.iter().map(FaultNow::in_force).collect();
        }
    }

    /// Everything, as it is now.
    pub(super) fn page(&self) -> Page {
        let mut page = Page::default();
        self.run(&mut page);
        self.sessions(&mut page);
        self.messages(&mut page);
        self.harness(&mut page);
        if let Ok(seen) = self.seen.lock() {
            self.latencies(&mut page, &seen);
            self.faults(&mut page, &seen);
        }
        page
    }

    fn run(&self, page: &mut Page) {
        let labels = [
            ("run", self.run_id.clone()),
            ("scenario", self.plan.title.clone()),
        ];
        page.each(metric::RUN_INFO, [(labels, 1.0)]);
        page.one(metric::ELAPSED, seconds(self.clock.now_us()));
        let clients = f64::from(self.plan.load.clients);
        page.one(metric::CLIENTS_PLANNED, clients);
    }

    fn sessions(&self, page: &mut Page) {
        let of = &self.counters;
        for (metric, counter) in [
            (metric::SESSIONS_OPEN, &of.open),
            (metric::SESSIONS_OPEN_PEAK, &of.peak_open),
            (metric::SESSIONS_RECONNECTING, &of.reconnecting),
            (metric::SESSIONS_OPENED, &of.opened),
            (metric::TOKENS, &of.tokens),
            (metric::CLIENTS_FAILED, &of.clients_failed),
        ] {
            page.one(metric, read(counter));
        }
        let cut = of.cut().into_iter();
        let cut = cut.map(|(code, sockets)| ([("code", code.to_string())], sockets as f64));
        page.each(metric::SESSIONS_CUT, cut);
    }

    fn messages(&self, page: &mut Page) {
        let of = &self.counters;
        // Known when members have left, and in another metric then.
        let all = Outcome::ALL.into_iter();
        let messages = all.filter(|outcome| *outcome != Outcome::Unheard);
        let outcomes = messages.filter_map(|outcome| {
            let counted = read(of.of(outcome)?);
            Some(([("outcome", outcome.name().to_owned())], counted))
        });
        page.each(metric::MESSAGES, outcomes);
        page.one(metric::UNAVAILABLE, read(&of.unavailable));
    }

    fn harness(&self, page: &mut Page) {
        let of = &self.counters;
        let now_us = self.clock.now_us();
        let oldest = of.oldest_us.iter();
        let oldest = oldest.map(|us| us.load(Ordering::Relaxed)).min();
        let oldest_us = oldest
            .filter(|&us| us != u64::MAX)
            .map_or(0, |us| now_us.saturating_sub(us));
        page.one(metric::OLDEST_UNANSWERED, seconds(oldest_us));
        let lanes = of.lane_busy_permille.iter().enumerate();
        let busy = lanes.map(|(lane, permille)| (lane, read(permille) / 1000.0));
        let own = usize::from(self.plan.load.lanes.max(1));
        if of.lane_busy_permille.len() > own {
            let busy = busy.map(|(lane, ratio)| {
                let (shard, lane) = ((lane / own + 1).to_string(), (lane % own).to_string());
                ([("shard", shard), ("lane", lane)], ratio)
            });
            page.each(metric::LANE_BUSY, busy);
        } else {
            let busy = busy.map(|(lane, ratio)| ([("lane", lane.to_string())], ratio));
            page.each(metric::LANE_BUSY, busy);
        }
    }

    fn latencies(&self, page: &mut Page, seen: &Seen) {
        let stages = Stage::ALL.into_iter().map(|stage| {
            let bounds_us = bounds_us(&self.plan, stage);
            let labels = [("stage", stage.name().to_owned())];
            let of = &seen.response[stage.index()];
            (labels, latencies(of, &bounds_us))
        });
        page.latencies(metric::LATENCY, stages);
        let lateness = latencies(&seen.lateness, &LATENESS_BOUNDS_US);
        page.latencies(metric::LATENESS, [([], lateness)]);
    }

    fn faults(&self, page: &mut Page, seen: &Seen) {
        let faults = self.plan.faults.iter().enumerate().map(|(place, fault)| {
            let in_force = seen.in_force.get(place).copied().unwrap_or(false);
            let labels = [("fault", fault.name.clone())];
            (labels, f64::from(u8::from(in_force)))
        });
        page.each(metric::FAULT_IN_FORCE, faults);
    }
}

fn read(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}

fn latencies(of: &SparseHistogram, bounds_us: &[u64]) -> Latencies {
    let bounds = bounds_us.iter();
    let bounds = bounds.map(|&bound_us| (bound_us, of.count_at_or_below(bound_us)));
    Latencies {
        count: of.count(),
        mean_us: of.mean_us(),
        shares: Shares::AtOrBelow(bounds.collect()),
    }
}

/// The common bounds and every limit the plan sets on this stage, ascending.
pub(super) fn bounds_us(plan: &Plan, stage: Stage) -> Vec<u64> {
    let is_limit = |expectation: &&Expectation| matches!(expectation.what, Quantity::Latency { stage: of, .. } if of == stage);
    let rules = plan.abort_when.iter().map(|rule| &rule.expectation);
    let limits = plan.expect.iter().chain(rules).filter(is_limit);
    let limits = limits.map(|expectation| crate::units::rounded(expectation.bound.value));
    let mut bounds: Vec<u64> = BOUNDS_US.into_iter().chain(limits).collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}
