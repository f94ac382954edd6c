//! This module writes `metrics.prom`: the result as Prometheus samples, for a text-file collector.
//!
//! **In:** the result. **Out:** the text exposition format, clean under `promtool check metrics`. Names are those of
//! [`metric`]; every sample has the run and the scenario as labels, so that the files of several runs can lie in one
//! folder. The verdict is told here, never made here.

use std::collections::BTreeMap;

use super::renderer::{RenderError, Renderer};
use super::{file, words};
use crate::metric::{self, Latencies, Page, Shares};
use crate::result::{CheckStatus, ExpectationResult, RunResult, Summary, Window};
use crate::scenario::expectation::{Outcome, When};
use crate::units::{US_PER_S, Unit, seconds};

/// `metrics.prom`.
pub(crate) struct Metrics;

const BYTES_PER_KIB: f64 = 1_024.0;

impl Renderer for Metrics {
    fn file(&self) -> &'static str {
        file::METRICS
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let mut page = Page::new(vec![
            ("run", result.run.id.clone()),
            ("scenario", result.run.title.clone()),
        ]);
        run(&mut page, result);
        messages(&mut page, result);
        sessions(&mut page, result);
        latencies(&mut page, result);
        expectations(&mut page, result);
        faults(&mut page, result);
        generator(&mut page, result);
        let text = page.text().map_err(RenderError::Metrics)?;
        Ok(text.into_bytes())
    }
}

fn run(page: &mut Page, result: &RunResult) {
    let run = &result.run;
    let labels = [
        ("seed", run.seed.to_string()),
        ("version", run.harness_version.clone()),
        ("commit", run.commit.clone().unwrap_or_default()),
    ];
    page.each(metric::RUN_INFO, [(labels, 1.0)]);
    let word = words::status(result.verdict.status).word.to_lowercase();
    page.each(metric::RUN_VERDICT, [([("status", word)], 1.0)]);
    page.one(metric::RUN_EXIT_CODE, f64::from(result.exit_code));
    page.one(metric::ELAPSED, seconds(run.duration_us));
}

fn messages(page: &mut Page, result: &RunResult) {
    let of = result.delivery;
    let messages = Outcome::ALL.into_iter();
    let messages = messages.filter(|outcome| *outcome != Outcome::Unheard);
    let messages = messages.map(|outcome| {
        let count = of.of(outcome);
        ([("outcome", outcome.name().to_owned())], count as f64)
    });
    page.each(metric::MESSAGES, messages);
    let heard = of.copies.saturating_sub(of.unheard);
    let copies = [("heard", heard), ("unheard", of.unheard)];
    let copies = copies.map(|(outcome, count)| ([("outcome", outcome.to_owned())], count as f64));
    page.each(metric::COPIES, copies);
    let errors = result.errors.iter();
    let errors = errors.map(|(label, &count)| ([("error", label.clone())], count as f64));
    page.each(metric::ERRORS, errors);
}

/// Sockets that ended, by close code.
type Closes = fn(&Window) -> &BTreeMap<u16, u64>;

fn sessions(page: &mut Page, result: &RunResult) {
    let of = &result.clients;
    for (metric, count) in [
        (metric::CLIENTS_PLANNED, of.planned),
        (metric::SESSIONS_OPEN_PEAK, of.peak_open),
        (metric::SESSIONS_OPENED, of.opened),
        (metric::TOKENS, of.tokens_ok),
        (metric::TOKENS_FAILED, of.tokens_failed),
        (metric::CLIENTS_FAILED, of.failed),
    ] {
        page.one(metric, count as f64);
    }
    let whole = result.window(&When::WholeRun);
    let closes: [(_, Closes); 3] = [
        (metric::SESSIONS_VIOLATED, |of| &of.closes_violation),
        (metric::SESSIONS_CUT, |of| &of.closes_cut),
        (metric::SESSIONS_CLOSED, |of| &of.closes_planned),
    ];
    for (metric, counts) in closes {
        let counts = whole.into_iter().flat_map(counts);
        let counts = counts.map(|(code, &count)| ([("code", code.to_string())], count as f64));
        page.each(metric, counts);
    }
}

fn latencies(page: &mut Page, result: &RunResult) {
    let stages = result.latency.iter().flat_map(|(stage, latency)| {
        let times = [("response", latency.response), ("service", latency.service)];
        times.into_iter().filter_map(move |(time, of)| {
            let labels = [("stage", stage.clone()), ("time", time.to_owned())];
            Some((labels, quantiles(of?)))
        })
    });
    page.latencies(metric::LATENCY, stages);
    for (metric, of) in [
        (metric::LATENESS, result.lateness),
        (metric::LATENESS_NET, result.generator.lateness_net),
        (metric::DISPATCH_DELAY, result.dispatch_delay),
        (metric::RECEIVE_LAG, result.receive_lag),
    ] {
        page.latencies(metric, of.map(|of| ([], quantiles(of))));
    }
}

fn quantiles(of: Summary) -> Latencies {
    Latencies {
        count: of.count,
        mean_us: of.mean_us,
        shares: Shares::Quantiles(vec![
            (0.5, of.p50_us),
            (0.9, of.p90_us),
            (0.95, of.p95_us),
            (0.99, of.p99_us),
            (0.999, of.p999_us),
            (1.0, of.max_us),
        ]),
    }
}

fn expectations(page: &mut Page, result: &RunResult) {
    let (mut held, mut observed, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    let mut told: Vec<[&str; 3]> = Vec::new();
    for row in &result.expectations {
        let bound = row.expectation.bound;
        let comparison = bound.comparison.name();
        let words = [row.name.as_str(), row.when.as_str(), comparison];
        // A sample must not come twice: of two bounds of one kind the first is told.
        if told.contains(&words) {
            continue;
        }
        told.push(words);
        let [what, when, comparison] = words.map(str::to_owned);
        let labels = [("what", what), ("when", when), ("bound", comparison)];
        let value = match row.status {
            CheckStatus::Held => 1.0,
            CheckStatus::Broke => 0.0,
            CheckStatus::Inconclusive => -1.0,
        };
        held.push((labels.clone(), value));
        let seen = row.observed.map(|value| in_base_unit(row, value));
        observed.extend(seen.map(|value| (labels.clone(), value)));
        limit.push((labels, in_base_unit(row, bound.value)));
    }
    page.each(metric::EXPECTATION_HELD, held);
    page.each(metric::EXPECTATION_OBSERVED, observed);
    page.each(metric::EXPECTATION_LIMIT, limit);
}

fn faults(page: &mut Page, result: &RunResult) {
    let (mut confirmed, mut times) = (Vec::new(), Vec::new());
    for fault in &result.faults {
        let name = || ("fault", fault.name.clone());
        confirmed.push(([name()], f64::from(u8::from(fault.confirmed))));
        for (time, us) in [
            ("impact", fault.impact_us),
            ("detect", fault.detect_us),
            ("recovery", fault.recovery_us),
            ("backlog_drain", fault.backlog_drain_us),
        ] {
            let labels = [name(), ("time", time.to_owned())];
            times.extend(us.map(|us| (labels, seconds(us))));
        }
    }
    page.each(metric::FAULT_CONFIRMED, confirmed);
    page.each(metric::FAULT_SECONDS, times);
}

fn generator(page: &mut Page, result: &RunResult) {
    let of = &result.generator;
    page.one(metric::CPU, of.cpu_seconds);
    page.one(metric::MEMORY_PEAK, of.rss_peak_bytes as f64);
    page.one(metric::LANE_BUSY_PEAK, of.lane_busy_ratio_max);
    page.one(metric::SENDS_PLANNED, of.planned_sends as f64);
    page.one(metric::SENDS_MADE, of.actual_sends as f64);
}

fn in_base_unit(row: &ExpectationResult, value: f64) -> f64 {
    match row.unit {
        Unit::Microseconds => value / US_PER_S as f64,
        Unit::Kibibytes => value * BYTES_PER_KIB,
        Unit::Messages | Unit::Sockets | Unit::Clients | Unit::Tokens | Unit::Conversations => {
            value
        }
    }
}

#[cfg(test)]
mod tests;
