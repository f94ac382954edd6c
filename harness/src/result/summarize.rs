//! This module turns the facts of a run into its result, once.
//!
//! **In:** [`Facts`]. **Out:** a [`RunResult`] without a verdict; [`super::verdict::judge`] adds it
//! from nothing but the result, so that a saved run can be judged again.
//!
//! Pure: no I/O, no clock.

use std::collections::BTreeMap;

use super::acceptance;
use super::example::shown;
use super::facts::{EXAMPLES_MAX, Facts};
use super::failure::{Faulty, condition_us};
use super::recovery::{Watched, describe, fault_result, reach, recovered_at_us, tolerance_us};
use super::series::series;
use super::windows::{Reach, Span, Tally, between, partition, tallies, together, window};
use super::{
    Clients, ConditionResult, Distribution, DistributionPoint, Example, FaultResult, RunResult,
    SCHEMA, StageLatency, Verdict, Window, WindowKind,
};
use crate::plan::Damage;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::{CloseCause, Recording};
use crate::scenario::expectation::When;
use crate::stage::Stage;
use crate::units;

/// Of them with the session of their client.
const SESSIONS_MAX: usize = 10;
/// Points of a percentile curve for every tenth of the remaining share.
const POINTS_PER_DECADE: i32 = 16;

/// The result, still without a verdict.
pub(crate) fn summarize(facts: &Facts) -> RunResult {
    let (plan, recording) = (&facts.plan, &facts.recording);
    let (faults, reaches) = faults_of(facts);
    let spans = partition(plan, &reaches, facts.end_us);
    let tallies = tallies(recording, &spans, plan.interval_us);
    let whole = together(&spans, &tallies, |_| true);
    let outside = together(&spans, &tallies, |span| !is_faulty(span));
    let mut overlapping = Overlapping::new(facts, &whole, &outside);
    for reach in &reaches {
        let mine = |span: &Span| is_faulty(span) && span.fault == Some(reach.fault);
        overlapping.add_fault(facts, *reach, &together(&spans, &tallies, mine));
    }
    overlapping.add_parts(facts);
    let mut lateness = SparseHistogram::default();
    recording
        .lateness
        .values()
        .for_each(|part| lateness.merge(part));
    RunResult {
        schema: SCHEMA.to_owned(),
        run: facts.run.clone(),
        verdict: Verdict::default(),
        exit_code: 0,
        clients: clients(facts, &whole, &outside),
        latency: latency(&whole, recording),
        dispatch_delay: recording.dispatch_delay.summary(),
        lateness: lateness.summary(),
        receive_lag: recording.receive_lag.summary(),
        goose: facts.goose.clone(),
        delivery: whole.delivery,
        closes: all_closes(&whole),
        errors: errors(recording),
        failures: super::failure::counts(
            recording,
            &Faulty {
                spans: &spans,
                faults: &faults,
                condition_us: condition_us(&plan.faults, &facts.stamps),
                damage: Damage::of(&plan.faults),
                interval_us: plan.interval_us,
            },
        ),
        windows: spans
            .iter()
            .zip(&tallies)
            .map(|(span, tally)| window(span, tally))
            .collect(),
        views: overlapping.views,
        generator: super::generator::generator(facts, &whole),
        server: facts.server.clone(),
        processes: facts.processes.clone(),
        accept_backlog: facts.accept_backlog,
        traffic: facts.traffic,
        ended_processes: facts.ended_processes.clone(),
        series: series(facts),
        distributions: overlapping.distributions,
        examples: examples(facts),
        stories: stories(facts),
        faults,
        conditions: conditions_of(facts),
        trials: facts.trials.clone(),
        acceptance: acceptance::curves(plan, &facts.trials),
        expectations: Vec::new(),
        checks: Vec::new(),
        plan: facts.plan.clone(),
    }
}

/// Windows that overlap the others, with the percentile curve of each.
struct Overlapping {
    views: Vec<Window>,
    distributions: Vec<Distribution>,
}

impl Overlapping {
    fn new(facts: &Facts, whole: &Tally, outside: &Tally) -> Self {
        let mut both = Self {
            views: Vec::new(),
            distributions: Vec::new(),
        };
        let mut everything = view(&When::WholeRun, whole, 0, facts.end_us);
        add_service(&mut everything, &facts.recording);
        both.add(everything, whole);
        both.add(
            view(&When::OutsideFaults, outside, 0, facts.end_us),
            outside,
        );
        both
    }

    fn add_fault(&mut self, facts: &Facts, reach: Reach, during: &Tally) {
        let fault = facts.plan.faults[reach.fault].name.clone();
        let when = When::During { fault };
        let window = view(&when, during, reach.from_us, reach.recovered_us);
        self.add(
            Window {
                fault: Some(reach.fault),
                ..window
            },
            during,
        );
    }

    /// Stages of the load with a name.
    fn add_parts(&mut self, facts: &Facts) {
        for part in facts.plan.load.parts() {
            let to_us = part.to_us.min(facts.end_us);
            if part.from_us >= to_us {
                continue;
            }
            let span = (part.from_us, to_us);
            let tally = between(&facts.recording, facts.plan.interval_us, span);
            let when = When::Stage { name: part.name };
            self.add(view(&when, &tally, part.from_us, to_us), &tally);
        }
    }

    fn add(&mut self, window: Window, tally: &Tally) {
        let complete = &tally.response[Stage::Complete.index()];
        if !complete.is_empty() {
            self.distributions
                .push(distribution(&window.name, complete));
        }
        self.views.push(window);
    }
}

fn faults_of(facts: &Facts) -> (Vec<FaultResult>, Vec<Reach>) {
    let Facts {
        plan,
        recording,
        stamps,
        end_us,
        ..
    } = facts;
    let events = plan.faults.iter().filter(|fault| !fault.condition).count();
    let stamps = &stamps[..events.min(stamps.len())];
    let tolerance = tolerance_us(plan, recording, stamps);
    let mut reaches = Vec::new();
    let mut results = Vec::new();
    for (place, stamp) in stamps.iter().enumerate() {
        let recovered = recovered_at_us(plan, recording, stamp, tolerance, place);
        let reached = reach(place, stamp, recovered, *end_us);
        reaches.extend(reached);
        results.push(fault_result(
            Watched {
                plan,
                recording,
                tolerance_us: tolerance,
                end_us: *end_us,
            },
            place,
            stamp,
            reached,
            recovered,
        ));
    }
    reaches.sort_by_key(|reach| reach.from_us);
    (results, reaches)
}

fn conditions_of(facts: &Facts) -> Vec<ConditionResult> {
    let planned = facts.plan.faults.iter().zip(&facts.stamps);
    let conditions = planned.filter(|(fault, _)| fault.condition);
    conditions
        .map(|(fault, stamps)| ConditionResult {
            name: fault.name.clone(),
            what: describe(fault),
            planned_us: fault.at_us,
            stamps: stamps.clone(),
            confirmed: stamps.confirmed_us.is_some(),
        })
        .collect()
}

fn is_faulty(span: &Span) -> bool {
    matches!(span.kind, WindowKind::Fault | WindowKind::Recovery)
}

fn view(when: &When, tally: &Tally, from_us: u64, to_us: u64) -> Window {
    let span = Span {
        name: when.text(),
        kind: WindowKind::View,
        fault: None,
        from_us,
        to_us,
    };
    window(&span, tally)
}

/// The whole run also knows the service time of every other stage.
fn add_service(whole: &mut Window, recording: &Recording) {
    for stage in Stage::ALL {
        if stage == Stage::Token {
            continue;
        }
        if let Some(numbers) = recording.service[stage.index()].summary() {
            whole.service.insert(stage.name().to_owned(), numbers);
        }
    }
}

fn clients(facts: &Facts, whole: &Tally, outside: &Tally) -> Clients {
    Clients {
        planned: u64::from(facts.plan.load.clients),
        peak_open: facts.peak_open,
        opened: whole.sessions.opened,
        failed: whole.sessions.clients_failed,
        failed_outside_faults: outside.sessions.clients_failed,
        cut: whole.closes(CloseCause::Cut).values().sum(),
        tokens_ok: whole.sessions.tokens_ok,
        tokens_failed: whole.sessions.tokens_failed,
        reconnect_attempts: whole.sessions.reconnect_attempts,
        connects_failed: whole.sessions.connects_failed,
        requests_repeated: whole.sessions.requests_repeated,
    }
}

fn latency(whole: &Tally, recording: &Recording) -> BTreeMap<String, StageLatency> {
    let stages = Stage::ALL.into_iter().filter_map(|stage| {
        let service = if stage == Stage::Token {
            &whole.sessions.token_service
        } else {
            &recording.service[stage.index()]
        };
        let numbers = StageLatency {
            response: whole.response[stage.index()].summary(),
            service: service.summary(),
        };
        let seen = numbers.response.is_some() || numbers.service.is_some();
        seen.then(|| (stage.name().to_owned(), numbers))
    });
    stages.collect()
}

fn all_closes(whole: &Tally) -> BTreeMap<u16, u64> {
    let mut closes = whole.closes(CloseCause::Planned);
    for cause in [CloseCause::Cut, CloseCause::Violation] {
        for (code, count) in whole.closes(cause) {
            *closes.entry(code).or_insert(0) += count;
        }
    }
    closes
}

fn errors(recording: &Recording) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for ((_, kind), count) in &recording.failures {
        *errors.entry(kind.to_string()).or_insert(0) += count;
    }
    errors
}

/// Percentiles from 0 to the last that one value supports, denser towards the end.
fn distribution(name: &str, histogram: &SparseHistogram) -> Distribution {
    let mut points = Vec::new();
    if !histogram.is_empty() {
        for step in 0_i32.. {
            let beyond = 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_DECADE));
            let quantile_ratio = units::short(1.0 - beyond);
            points.push(DistributionPoint {
                quantile_ratio,
                value_us: histogram.value_at(quantile_ratio),
            });
            if beyond * (histogram.count() as f64) < 1.0 {
                break;
            }
        }
    }
    Distribution {
        name: name.to_owned(),
        count: histogram.count(),
        points,
    }
}

fn examples(facts: &Facts) -> Vec<Example> {
    let recorded = facts.recording.examples.iter();
    let mut examples: Vec<Example> = recorded
        .map(|example| shown(&facts.plan, example))
        .collect();
    examples.sort_by_key(|example| (example.intended_us, example.client));
    examples.truncate(EXAMPLES_MAX);
    for example in examples.iter_mut().skip(SESSIONS_MAX) {
        example.session.clear();
    }
    examples
}

/// Sessions that say more than their numbers.
fn stories(facts: &Facts) -> Vec<Example> {
    let slowest = facts.recording.slowest.iter().map(|(_, slowest)| slowest);
    let all = slowest
        .chain(&facts.recording.first_cut)
        .chain(&facts.recording.first_given_up);
    all.map(|example| shown(&facts.plan, example)).collect()
}
