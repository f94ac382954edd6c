//! This module is what a probe says: one run at one load, reduced to what the search and the model need.
//!
//! **In:** a run result, the load it was asked for. **Out:** a [`Probe`]. **Units:** microseconds; messages per second;
//! processors; bytes. What is measured is of the steady part: from the end of the ramp to the end of the load, faults included.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::model::little::{Measured, agreement};
use super::search::{Came, Why};
use super::steady::{Steady, alike, steady};
use super::uses::{self, Use};
use crate::environment::SERVER;
use crate::exit::Exit;
use crate::format;
use crate::plan::{Arrival, LoadPlan};
use crate::result::{EndedProcess, ProcessKind, RunResult, Second, is_of_generator};
use crate::units::US_PER_S;

/// One probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Probe {
    pub load: u64,
    pub why: Why,
    /// Below the folder of the search.
    pub folder: String,
    pub run: String,
    pub came: Came,
    /// Why, in a sentence.
    pub sentence: String,
    pub exit_code: u8,
    /// Most that were connected at once; `None`, as all that follows: there was no run.
    pub clients: Option<u64>,
    /// Messages that were intended and answered, per second.
    pub offered_per_s: Option<f64>,
    pub answered_per_s: Option<f64>,
    /// Response time of `complete` over the whole run.
    pub p50_us: Option<u64>,
    pub p99_us: Option<u64>,
    /// Mean response time and mean number of messages in flight, of the steady part.
    pub mean_us: Option<f64>,
    pub in_flight: Option<f64>,
    pub little: Option<Little>,
    pub steady: Option<Steady>,
    /// Of the server, where it was started for the run: memory and open files at their most.
    pub server_bytes: Option<u64>,
    pub files: Option<u64>,
    pub files_limit: Option<u64>,
    /// What was used, the fullest first; then what has no limit.
    pub uses: Vec<Use>,
}

/// Little's law: what is in flight is what arrives times how long it stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Little {
    /// Counted.
    pub in_flight: f64,
    /// By throughput and mean response time.
    pub expected: f64,
    pub holds: bool,
}

impl Probe {
    /// What a run says of a load.
    pub(crate) fn of(
        (axis, result): (Axis, &RunResult),
        (load, why): (u64, Why),
        folder: String,
    ) -> Self {
        let part = Part::of(result);
        let steady = steady(
            &part.medians_us,
            &part.in_flight,
            (part.step_us, part.offered_per_s),
        );
        let little = part.little();
        // An answer counts where its message was intended; what piles up was not answered then.
        let behind = steady.and_then(|steady| steady.backlog_growth_per_s);
        let answered_per_s = (part.answered_per_s - behind.unwrap_or(0.0)).max(0.0);
        let (came, sentence) = match came(result, steady.as_ref(), little.as_ref()) {
            (Came::Held | Came::Broke, _) if axis == Axis::FanOut && is_unheard(result, load) => (
                Came::Unclear,
                "No client heard what others of its conversation said: the target shares none."
                    .to_owned(),
            ),
            found => found,
        };
        let mut accounts = result.processes.iter();
        let server = accounts.find(|account| account.what == ProcessKind::Server);
        let complete = result
            .latency
            .get("complete")
            .and_then(|stage| stage.response);
        Self {
            load,
            why,
            folder,
            run: result.run.id.clone(),
            came,
            sentence,
            exit_code: result.exit_code,
            clients: Some(result.clients.peak_open),
            offered_per_s: Some(part.offered_per_s),
            answered_per_s: Some(answered_per_s),
            p50_us: complete.map(|summary| summary.p50_us),
            p99_us: complete.map(|summary| summary.p99_us),
            mean_us: part.mean_us,
            in_flight: part.in_flight_mean().map(|mean| mean.value),
            little,
            steady,
            server_bytes: server.map(|server| server.rss_peak_bytes),
            files: server.map(|server| server.files_peak),
            files_limit: server.and_then(|server| server.files_limit),
            uses: uses::of(result),
        }
    }

    /// A load of which no run came to a result.
    pub(crate) fn without((load, why): (u64, Why), came: Came, sentence: String) -> Self {
        Self {
            load,
            why,
            folder: String::new(),
            run: String::new(),
            came,
            sentence,
            exit_code: Exit::Environment.code(),
            clients: None,
            offered_per_s: None,
            answered_per_s: None,
            p50_us: None,
            p99_us: None,
            mean_us: None,
            in_flight: None,
            little: None,
            steady: None,
            server_bytes: None,
            files: None,
            files_limit: None,
            uses: Vec::new(),
        }
    }

    /// The fullest thing, where it counts as full.
    pub(crate) fn full(&self) -> Option<&Use> {
        self.uses.first().filter(|of| of.is_full())
    }
}

/// The steady part of a run.
struct Part {
    /// Of the two below.
    step_us: u64,
    /// Median response time where there were enough answers, and what was in flight at the end of the step.
    medians_us: Vec<Option<f64>>,
    in_flight: Vec<u64>,
    /// Different moments of the traffic at which that was read: fewer than readings where its period is in step with them.
    moments: u64,
    offered_per_s: f64,
    answered_per_s: f64,
    /// Mean response time of all answers, and what it is known to.
    mean_us: Option<f64>,
    mean_error_ratio: f64,
    answers: u64,
}

impl Part {
    fn of(result: &RunResult) -> Self {
        let load = &result.plan.load;
        let series = &result.series;
        let (from_us, to_us) = (load.ramp_end_us(), load.load_us());
        let step_us = series.step_us.max(1);
        // Whole steps: what is in flight at the end of the first one is of the steady part already.
        let place = |us: u64| usize::try_from(us / step_us).unwrap_or(usize::MAX);
        let steps = place(from_us.next_multiple_of(step_us))..place(to_us);
        let medians = series
            .complete_p50_us
            .get(steps.clone())
            .unwrap_or_default();
        let seconds = series.per_second.iter();
        let seconds: Vec<&Second> = seconds
            .filter(|second| second.at_us >= from_us && second.at_us < to_us)
            .collect();
        let length_s = (seconds.len() as u64 * series.second_us.max(1)) as f64 / US_PER_S as f64;
        let per_s = |pick: fn(&Second) -> u64| {
            let sum: u64 = seconds.iter().map(|second| pick(second)).sum();
            if length_s > 0.0 {
                sum as f64 / length_s
            } else {
                0.0
            }
        };
        let complete = || seconds.iter().filter_map(|second| second.complete);
        let answers: u64 = complete().map(|complete| complete.count).sum();
        let sum_us: f64 = complete()
            .map(|complete| complete.mean_us * complete.count as f64)
            .sum();
        let means: Vec<f64> = complete().map(|complete| complete.mean_us).collect();
        Self {
            step_us,
            moments: moments(load, step_us),
            medians_us: medians.iter().map(|us| us.map(|us| us as f64)).collect(),
            in_flight: series.in_flight.get(steps).unwrap_or_default().to_vec(),
            offered_per_s: per_s(|second| second.delivery.sent),
            answered_per_s: per_s(|second| second.delivery.completed),
            mean_us: (answers > 0).then(|| sum_us / answers as f64),
            mean_error_ratio: of_samples(&means).map_or(0.0, |mean| mean.error_ratio),
            answers,
        }
    }

    fn in_flight_mean(&self) -> Option<Measured> {
        let counts: Vec<f64> = self.in_flight.iter().map(|count| *count as f64).collect();
        let found = of_samples(&counts)?;
        if self.moments >= counts.len() as u64 {
            return Some(found);
        }
        // The same moments again and again: what was in flight then is known as often as there are moments, each a count.
        let of_moments = 1.0 / (found.value * self.moments as f64).sqrt();
        Some(Measured {
            error_ratio: found.error_ratio.max(of_moments),
            ..found
        })
    }

    /// `None` where too little was measured for it.
    fn little(&self) -> Option<Little> {
        let throughput = Measured {
            value: self.answered_per_s,
            error_ratio: 1.0 / (self.answers.max(1) as f64).sqrt(),
        };
        let response_s = Measured {
            value: self.mean_us? / 1e6,
            error_ratio: self.mean_error_ratio,
        };
        let found = agreement(self.in_flight_mean()?, throughput, response_s)?;
        Some(Little {
            in_flight: found.found,
            expected: found.expected,
            holds: found.within,
        })
    }
}

/// How many different moments of a client's period readings at that step meet; clients that send at random have none.
fn moments(load: &LoadPlan, step_us: u64) -> u64 {
    match load.message.arrival {
        Arrival::Fixed => {
            let (mut one, mut other) = (load.message.every_us.max(1), step_us);
            while other > 0 {
                (one, other) = (other, one % other);
            }
            load.message.every_us.max(1) / one
        }
        Arrival::Poisson | Arrival::Closed => u64::MAX,
    }
}

/// The mean of samples in order of time, and what it is known to; `None` of fewer than two. Neighbours may be alike.
fn of_samples(samples: &[f64]) -> Option<Measured> {
    let count = samples.len() as f64;
    if samples.len() < 2 {
        return None;
    }
    let mean = samples.iter().sum::<f64>() / count;
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt() * alike(samples);
    (mean > 0.0).then(|| Measured {
        value: mean,
        error_ratio: error / mean,
    })
}

/// Several clients were to share a conversation, and none heard another.
fn is_unheard(result: &RunResult, together: u64) -> bool {
    together.min(u64::from(result.plan.load.clients)) > 1
        && result.generator.frames_of_others.is_none()
}

/// What the probe came to, and why.
pub(super) fn came(
    result: &RunResult,
    steady: Option<&Steady>,
    little: Option<&Little>,
) -> (Came, String) {
    let sentence = result.verdict.sentence.clone();
    let is_server = |ended: &&EndedProcess| ended.what == SERVER;
    if let Some(ended) = result.ended_processes.iter().find(is_server) {
        let fact = ended.fact.as_deref().unwrap_or("ended before the run did");
        return (
            Came::Broke,
            format!("{}: {fact}", format::capital(&ended.what)),
        );
    }
    match Exit::of(result.exit_code) {
        // Clients that could not come or send for want of a processor are not the service's either.
        Exit::Threshold if is_full(result) => {
            let fact = "The processors that the generator runs on were full meanwhile.";
            (Came::Full, format!("{sentence} {fact}"))
        }
        Exit::Threshold | Exit::Incorrect => (Came::Broke, sentence),
        Exit::Invalid if is_of_generator(result) => (Came::Full, sentence),
        Exit::Pass => judge(result, (steady, little), sentence),
        Exit::Invalid
        | Exit::Inconclusive
        | Exit::Bug
        | Exit::Usage
        | Exit::Environment
        | Exit::Storage
        | Exit::Regression
        | Exit::Interrupted => (Came::Unclear, sentence),
    }
}

/// What all that is expected says when it holds: unless the service fell behind, or the numbers do not fit each other.
fn judge(
    result: &RunResult,
    (steady, little): (Option<&Steady>, Option<&Little>),
    sentence: String,
) -> (Came, String) {
    if let Some(growth) = steady.and_then(|steady| steady.backlog_growth_per_s) {
        let fact = format!(
            "It fell behind: what is in flight grew by {} messages a second, all the time.",
            format::count_f64(growth.round().max(1.0))
        );
        if is_full(result) {
            let fact =
                format!("{fact} The processors that the generator runs on were full meanwhile.");
            return (Came::Full, fact);
        }
        return (Came::Broke, fact);
    }
    if steady.is_some_and(|steady| !steady.settled) {
        let fact = "It had not settled by its end: give it a longer hold (--duration).";
        return (Came::Unclear, fact.to_owned());
    }
    if let Some(little) = little.filter(|little| !little.holds) {
        let fact = format!(
            "Its numbers do not fit each other: {} messages were in flight, and throughput times response time is {} (Little's law).",
            format::count_f64(little.in_flight.round()),
            format::count_f64(little.expected.round())
        );
        return (Came::Unclear, fact);
    }
    (Came::Held, sentence)
}

/// For half of the steady part or more the processors that the generator runs on were full, by whomever.
fn is_full(result: &RunResult) -> bool {
    let load = &result.plan.load;
    let (from_us, to_us) = (load.ramp_end_us(), load.load_us());
    let spans = result.generator.busy.iter();
    let full: u64 = spans
        .map(|span| {
            span.to_us
                .min(to_us)
                .saturating_sub(span.from_us.max(from_us))
        })
        .sum();
    full > 0 && full * 2 >= to_us.saturating_sub(from_us)
}
