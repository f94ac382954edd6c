//! This module is the list of what the harness tells Prometheus about a run, and writes it as Prometheus reads it.
//!
//! **In:** labels and values, of a run that is under way (`/metrics`) or of a result (`metrics.prom`): one fact has one
//! name in both. **Out:** the text exposition format. **Units:** seconds, bytes and ratios in names; latencies come in
//! as microseconds.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType,
    Quantile, Summary,
};

use crate::format;
use crate::units::{US_PER_S, seconds};

/// One line of the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
    /// A histogram while a run is under way, quantiles of the whole run afterwards.
    Latency,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:ident, $help:literal;)*) => {
        $(pub(crate) const $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            help: $help,
        };)*
    };
}

metrics! {
    RUN_INFO = "harness_run_info", Gauge, "Which run this is; always 1.";
    RUN_VERDICT = "harness_run_verdict", Gauge, "The verdict; always 1.";
    RUN_EXIT_CODE = "harness_run_exit_code", Gauge, "Exit code of the run.";
    ELAPSED = "harness_elapsed_seconds", Gauge, "Time since the load began.";

    COPIES = "harness_copies_total", Counter, "Copies of messages for other members of a conversation: heard, or unheard though they were there.";
    MESSAGES = "harness_messages_total", Counter, "Messages by what became of them; sent counts every message intended.";
    UNAVAILABLE = "harness_unavailable_total", Counter, "Refusals that were or will be tried again.";
    OLDEST_UNANSWERED = "harness_oldest_unanswered_seconds", Gauge, "Age of the oldest message without a final answer; 0 while none waits.";
    ERRORS = "harness_errors_total", Counter, "Errors that clients met.";

    CLIENTS_PLANNED = "harness_clients_planned", Gauge, "Most clients the plan has.";
    CLIENTS_FAILED = "harness_clients_failed_total", Counter, "Clients that gave up.";
    TOKENS = "harness_tokens_total", Counter, "Tokens issued.";
    TOKENS_FAILED = "harness_tokens_failed_total", Counter, "Token requests that were refused or failed.";
    SESSIONS_OPEN = "harness_sessions_open", Gauge, "Sockets open now.";
    SESSIONS_OPEN_PEAK = "harness_sessions_open_peak", Gauge, "Most sockets open at once.";
    SESSIONS_RECONNECTING = "harness_sessions_reconnecting", Gauge, "Clients between a close and connected again.";
    SESSIONS_OPENED = "harness_sessions_opened_total", Counter, "Sockets that reached connected.";
    SESSIONS_CUT = "harness_sessions_cut_total", Counter, "Sockets cut by the server or the network, by close code.";
    SESSIONS_CLOSED = "harness_sessions_closed_total", Counter, "Sockets that ended as planned, by close code.";
    SESSIONS_VIOLATED = "harness_sessions_violated_total", Counter, "Sockets that the harness closed for what came on them, by close code.";

    LATENCY = "harness_latency_seconds", Latency, "Latency by stage, from the intended send; with time service from the real one.";
    LATENESS = "harness_lateness_seconds", Latency, "Socket ready to write: the harness's own delay.";
    LATENESS_NET = "harness_lateness_without_pauses_seconds", Latency, "The same without the intervals in which the machine itself paused.";
    DISPATCH_DELAY = "harness_dispatch_delay_seconds", Latency, "Intended to actual send, waiting for the system included.";
    RECEIVE_LAG = "harness_receive_lag_seconds", Latency, "Kernel receive stamp to read by the harness.";

    EXPECTATION_HELD = "harness_expectation_held", Gauge, "1 held, 0 broke, -1 could not be judged.";
    EXPECTATION_OBSERVED = "harness_expectation_observed", Gauge, "What was observed, in seconds, bytes or pieces.";
    EXPECTATION_LIMIT = "harness_expectation_limit", Gauge, "The bound, in seconds, bytes or pieces.";

    FAULT_IN_FORCE = "harness_fault_in_force", Gauge, "1 from a fault's injection until its end is confirmed.";
    FAULT_CONFIRMED = "harness_fault_confirmed", Gauge, "1 when a probe through the faulted path met the fault.";
    FAULT_SECONDS = "harness_fault_seconds", Gauge, "Impact and detection from the injection, recovery and drain from the confirmed heal.";

    LANE_BUSY = "harness_lane_busy_ratio", Gauge, "Share of a core each session thread used over the last second.";
    LANE_BUSY_PEAK = "harness_lane_busy_peak_ratio", Gauge, "Share of a core the busiest session thread used over any 5 s.";
    CPU = "harness_generator_cpu_seconds", Gauge, "Processor time of the harness.";
    MEMORY_PEAK = "harness_generator_memory_peak_bytes", Gauge, "Largest anonymous memory of the harness.";
    SENDS_PLANNED = "harness_generator_sends_planned", Gauge, "Sends the plan asked for.";
    SENDS_MADE = "harness_generator_sends_made", Gauge, "Sends put on a socket.";
}

/// Latencies with how many there are; their shares are named in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    pub count: u64,
    pub mean_us: f64,
    pub shares: Shares,
}

#[derive(Clone, Debug)]
pub(crate) enum Shares {
    /// How many are at or below each bound: bounds ascend.
    AtOrBelow(Vec<(u64, u64)>),
    /// The value at each quantile.
    Quantiles(Vec<(f64, u64)>),
}

/// Samples of many metrics.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Labels of every sample, after its own.
    common: Vec<(&'static str, String)>,
    families: Vec<MetricFamily>,
}

impl Page {
    pub(crate) fn new(common: Vec<(&'static str, String)>) -> Self {
        Self {
            common,
            families: Vec::new(),
        }
    }

    /// A value that stands for itself.
    pub(crate) fn one(&mut self, of: Metric, value: f64) {
        self.each(of, [([], value)]);
    }

    /// A value for each set of labels.
    pub(crate) fn each<const LABELS: usize>(
        &mut self,
        of: Metric,
        samples: impl IntoIterator<Item = ([(&'static str, String); LABELS], f64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, value)| {
            let mut sample = self.labelled(&labels);
            if of.kind == Kind::Counter {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
            sample
        });
        let kind = match of.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge | Kind::Latency => MetricType::GAUGE,
        };
        let samples = samples.collect();
        self.add(of, kind, samples);
    }

    /// Latencies for each set of labels.
    pub(crate) fn latencies<const LABELS: usize>(
        &mut self,
        of: Metric,
        samples: impl IntoIterator<Item = ([(&'static str, String); LABELS], Latencies)>,
    ) {
        let mut kind = MetricType::SUMMARY;
        let samples = samples.into_iter().map(|(labels, latencies)| {
            let mut sample = self.labelled(&labels);
            let (count, sum) = (latencies.count, latencies.mean_us * latencies.count as f64);
            match latencies.shares {
                Shares::AtOrBelow(bounds) => {
                    kind = MetricType::HISTOGRAM;
                    let mut histogram = Histogram::default();
                    histogram.set_sample_count(count);
                    histogram.set_sample_sum(sum / US_PER_S as f64);
                    histogram.set_bucket(bounds.into_iter().map(bucket).collect());
                    sample.set_histogram(histogram);
                }
                Shares::Quantiles(quantiles) => {
                    let mut summary = Summary::default();
                    summary.set_sample_count(count);
                    summary.set_sample_sum(sum / US_PER_S as f64);
                    summary.set_quantile(quantiles.into_iter().map(quantile).collect());
                    sample.set_summary(summary);
                }
            }
            sample
        });
        let samples = samples.collect();
        self.add(of, kind, samples);
    }

    /// The text format has no word for a metric without samples.
    fn add(&mut self, of: Metric, kind: MetricType, samples: Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(of.name.to_owned());
        family.set_help(of.help.to_owned());
        family.set_field_type(kind);
        family.set_metric(samples);
        self.families.push(family);
    }

    fn labelled(&self, labels: &[(&'static str, String)]) -> Sample {
        let pair = |(name, value): &(&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(format::harmless(value));
            pair
        };
        Sample::from_label(labels.iter().chain(&self.common).map(pair).collect())
    }

    /// All of it, as it is served or saved.
    ///
    /// # Errors
    ///
    /// What the encoder said.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.families)
    }
}

fn bucket((bound_us, count): (u64, u64)) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(seconds(bound_us));
    bucket.set_cumulative_count(count);
    bucket
}

fn quantile((share, us): (f64, u64)) -> Quantile {
    let mut quantile = Quantile::default();
    quantile.set_quantile(share);
    quantile.set_value(seconds(us));
    quantile
}
