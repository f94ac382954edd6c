//! This module holds what `/metrics` tells: the run so far, in Prometheus's words.
//!
//! **In:** counters, latencies since the last look, fault states. **Out:** metric families.
//!
//! Bucket bounds include every latency the plan expects, exactly, so that a query can ask for the
//! share within a limit; a value is counted to the width of a recorder bucket (0.1 %).
//!
//! **Units:** seconds, as Prometheus has it. The verdict never comes from here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::now::FaultNow;
use super::watched::Watched;
use crate::clock::RunClock;
use crate::plan::Plan;
use crate::record::counters::{Counters, Recent};
use crate::record::histogram::SparseHistogram;
use crate::scenario::expectation::{Expectation, Quantity};
use crate::stage::Stage;

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
const US_PER_S: f64 = 1e6;

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
    pub(super) fn new(watched: &Watched) -> Self {
        Self {
            plan: Arc::clone(&watched.plan),
            run_id: watched.run_id.clone(),
            clock: watched.clock,
            counters: Arc::clone(&watched.counters),
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
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut families = self.run();
        families.extend(self.sessions());
        families.extend(self.messages());
        families.extend(self.harness());
        if let Ok(seen) = self.seen.lock() {
            families.extend(self.latencies(&seen));
            families.push(self.faults(&seen));
        }
        // The text format has no word for a family without samples.
        families.retain(|family| !family.get_metric().is_empty());
        families
    }

    fn run(&self) -> Vec<MetricFamily> {
        let labels = [
            ("run", self.run_id.as_str()),
            ("scenario", &self.plan.title),
        ];
        let elapsed = self.clock.now_us() as f64 / US_PER_S;
        vec![
            family(
                ("harness_run_info", "Which run this is; always 1."),
                MetricType::GAUGE,
                vec![gauge(&labels, 1.0)],
            ),
            family(
                ("harness_elapsed_seconds", "Time since the load began."),
                MetricType::GAUGE,
                vec![gauge(&[], elapsed)],
            ),
            family(
                ("harness_clients_planned", "Most clients the plan has."),
                MetricType::GAUGE,
                vec![gauge(&[], f64::from(self.plan.load.clients))],
            ),
        ]
    }

    fn sessions(&self) -> Vec<MetricFamily> {
        let of = &self.counters;
        let cut = of
            .cut()
            .into_iter()
            .map(|(code, sockets)| count(&[("code", &code.to_string())], &AtomicU64::new(sockets)));
        let gauges = [
            ("harness_sessions_open", "Sockets open now.", &of.open),
            (
                "harness_sessions_open_peak",
                "Most sockets open at once.",
                &of.peak_open,
            ),
            (
                "harness_sessions_reconnecting",
                "Clients between a close and connected again.",
                &of.reconnecting,
            ),
        ];
        let counters = [
            (
                "harness_sessions_opened_total",
                "Sockets that reached connected.",
                &of.opened,
            ),
            ("harness_tokens_total", "Tokens issued.", &of.tokens),
            (
                "harness_clients_failed_total",
                "Clients that gave up.",
                &of.clients_failed,
            ),
        ];
        let mut families = Vec::new();
        for (name, help, value) in gauges {
            let now = value.load(Ordering::Relaxed) as f64;
            families.push(family(
                (name, help),
                MetricType::GAUGE,
                vec![gauge(&[], now)],
            ));
        }
        for (name, help, value) in counters {
            families.push(family(
                (name, help),
                MetricType::COUNTER,
                vec![count(&[], value)],
            ));
        }
        families.push(family(
            (
                "harness_sessions_cut_total",
                "Sockets cut by the server or the network, by close code.",
            ),
            MetricType::COUNTER,
            cut.collect(),
        ));
        families
    }

    fn messages(&self) -> Vec<MetricFamily> {
        let of = &self.counters;
        let outcomes = [
            ("sent", &of.sent),
            ("completed", &of.completed),
            ("refused", &of.refused),
            ("unanswered", &of.unanswered),
            ("lost", &of.lost),
            ("duplicated", &of.duplicated),
            ("out_of_order", &of.out_of_order),
            ("unexpected", &of.unexpected),
        ];
        let outcomes = outcomes.map(|(name, counter)| count(&[("outcome", name)], counter));
        vec![
            family(
                (
                    "harness_messages_total",
                    "Messages by what became of them so far; sent counts every message intended.",
                ),
                MetricType::COUNTER,
                outcomes.into(),
            ),
            family(
                (
                    "harness_unavailable_total",
                    "Refusals that were or will be tried again.",
                ),
                MetricType::COUNTER,
                vec![count(&[], &of.unavailable)],
            ),
        ]
    }

    fn harness(&self) -> Vec<MetricFamily> {
        let of = &self.counters;
        let now_us = self.clock.now_us();
        let oldest = of
            .oldest_us
            .iter()
            .map(|us| us.load(Ordering::Relaxed))
            .min();
        let oldest_us = oldest
            .filter(|&us| us != u64::MAX)
            .map_or(0, |us| now_us.saturating_sub(us));
        let lanes = of.lane_busy_permille.iter().enumerate();
        let busy = lanes.map(|(lane, permille)| {
            let ratio = permille.load(Ordering::Relaxed) as f64 / 1000.0;
            gauge(&[("lane", &lane.to_string())], ratio)
        });
        vec![
            family(
                (
                    "harness_oldest_unanswered_seconds",
                    "Age of the oldest message without a final answer; 0 while none waits.",
                ),
                MetricType::GAUGE,
                vec![gauge(&[], oldest_us as f64 / US_PER_S)],
            ),
            family(
                (
                    "harness_lane_busy_ratio",
                    "Share of a core each session thread used over the last second.",
                ),
                MetricType::GAUGE,
                busy.collect(),
            ),
        ]
    }

    fn latencies(&self, seen: &Seen) -> Vec<MetricFamily> {
        let stages = Stage::ALL.into_iter().map(|stage| {
            let bounds = bounds_us(&self.plan, stage);
            let labels = [("stage", stage.name())];
            histogram(&labels, &seen.response[stage.index()], &bounds)
        });
        vec![
            family(
                (
                    "harness_latency_seconds",
                    "Response time by stage, from the intended send, by arrival.",
                ),
                MetricType::HISTOGRAM,
                stages.collect(),
            ),
            family(
                (
                    "harness_lateness_seconds",
                    "Socket ready to write: the harness's own delay.",
                ),
                MetricType::HISTOGRAM,
                vec![histogram(&[], &seen.lateness, &LATENESS_BOUNDS_US)],
            ),
        ]
    }

    fn faults(&self, seen: &Seen) -> MetricFamily {
        let faults = self.plan.faults.iter().enumerate().map(|(place, fault)| {
            let in_force = seen.in_force.get(place).copied().unwrap_or(false);
            gauge(&[("fault", &fault.name)], f64::from(u8::from(in_force)))
        });
        family(
            (
                "harness_fault_in_force",
                "1 from a fault's injection until its end is confirmed.",
            ),
            MetricType::GAUGE,
            faults.collect(),
        )
    }
}

/// The common bounds and every limit the plan sets on this stage, ascending.
pub(super) fn bounds_us(plan: &Plan, stage: Stage) -> Vec<u64> {
    let limit = |expectation: &Expectation| match expectation.what {
        Quantity::Latency { stage: of, .. } if of == stage => {
            Some(crate::units::rounded(expectation.bound.value))
        }
        _ => None,
    };
    let rules = plan.abort_when.iter().map(|rule| &rule.expectation);
    let limits = plan.expect.iter().chain(rules).filter_map(limit);
    let mut bounds: Vec<u64> = BOUNDS_US.into_iter().chain(limits).collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}

fn family((name, help): (&str, &str), kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |&(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(crate::format::harmless(value));
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

fn gauge(labels: &[(&str, &str)], value: f64) -> Metric {
    let mut metric = labelled(labels);
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    metric.set_gauge(gauge);
    metric
}

fn count(labels: &[(&str, &str)], value: &AtomicU64) -> Metric {
    let mut metric = labelled(labels);
    let mut counter = Counter::default();
    counter.set_value(value.load(Ordering::Relaxed) as f64);
    metric.set_counter(counter);
    metric
}

fn histogram(labels: &[(&str, &str)], of: &SparseHistogram, bounds_us: &[u64]) -> Metric {
    let bucket = |&bound_us: &u64| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound_us as f64 / US_PER_S);
        bucket.set_cumulative_count(of.count_at_or_below(bound_us));
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_sample_count(of.count());
    histogram.set_sample_sum(of.mean_us() * of.count() as f64 / US_PER_S);
    histogram.set_bucket(bounds_us.iter().map(bucket).collect());
    let mut metric = labelled(labels);
    metric.set_histogram(histogram);
    metric
}
