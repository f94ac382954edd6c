//! This module writes `metrics.prom`: the result as Prometheus samples, for a text-file collector.
//!
//! **In:** the result. **Out:** the text exposition format, clean under `promtool check metrics`. Names are those of
//! `/metrics` while the run was under way, where both tell the same fact; every sample has the run and the scenario as
//! labels, so that the files of several runs can lie in one folder.
//! **Units:** seconds and bytes, as Prometheus has it. The verdict is told here, never made here.

mod page;

use ::prometheus::proto::MetricType;
use ::prometheus::{Encoder as _, TextEncoder};

use self::page::Page;
use super::renderer::{RenderError, Renderer};
use super::{file, view, words};
use crate::result::{CheckStatus, ExpectationResult, RunResult, Unit, Window};
use crate::scenario::expectation::Comparison;

/// `metrics.prom`.
pub(crate) struct Metrics;

const US_PER_S: f64 = 1e6;
const BYTES_PER_KIB: f64 = 1_024.0;

impl Renderer for Metrics {
    fn file(&self) -> &'static str {
        file::METRICS
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let mut page = Page::of(result);
        page.run(result);
        page.messages(result);
        page.sessions(result);
        page.latencies(result);
        page.expectations(result);
        page.faults(result);
        page.generator(result);
        // The text format has no word for a family without samples.
        page.families
            .retain(|family| !family.get_metric().is_empty());
        let mut bytes = Vec::new();
        TextEncoder::new()
            .encode(&page.families, &mut bytes)
            .map_err(RenderError::Metrics)?;
        Ok(bytes)
    }
}

impl Page {
    fn run(&mut self, result: &RunResult) {
        let run = &result.run;
        let seed = run.seed.to_string();
        let labels = [
            ("seed", seed.as_str()),
            ("version", &run.harness_version),
            ("commit", run.commit.as_deref().unwrap_or("")),
        ];
        let info = self.gauge(&labels, 1.0);
        self.add(
            MetricType::GAUGE,
            ("harness_run_info", "Which run this is; always 1."),
            vec![info],
        );
        let word = words::status(result.verdict.status).word.to_lowercase();
        let verdict = self.gauge(&[("status", &word)], 1.0);
        self.add(
            MetricType::GAUGE,
            ("harness_run_verdict", "The verdict; always 1."),
            vec![verdict],
        );
        self.one(
            ("harness_run_exit_code", "Exit code of the run."),
            f64::from(result.exit_code),
        );
        self.one(
            ("harness_elapsed_seconds", "Time since the load began."),
            run.duration_us as f64 / US_PER_S,
        );
    }

    fn messages(&mut self, result: &RunResult) {
        let all = result.delivery;
        let outcomes = [
            ("sent", all.sent),
            ("completed", all.completed),
            ("refused", all.refused),
            ("unanswered", all.unanswered),
            ("lost", all.lost),
            ("pending", all.pending),
            ("duplicated", all.duplicated),
            ("out_of_order", all.out_of_order),
            ("unexpected", all.unexpected),
            ("late", all.late),
        ];
        let outcomes = outcomes.map(|(outcome, count)| self.count(&[("outcome", outcome)], count));
        self.add(
            MetricType::COUNTER,
            (
                "harness_messages_total",
                "Messages by what became of them; sent counts every message intended.",
            ),
            outcomes.into(),
        );
        let errors = result.errors.iter();
        let errors = errors
            .map(|(label, &count)| self.count(&[("error", label)], count))
            .collect();
        self.add(
            MetricType::COUNTER,
            ("harness_errors_total", "Errors that clients met."),
            errors,
        );
    }

    fn sessions(&mut self, result: &RunResult) {
        let of = &result.clients;
        self.one(
            ("harness_clients_planned", "Most clients the plan has."),
            of.planned as f64,
        );
        self.one(
            ("harness_sessions_open_peak", "Most sockets open at once."),
            of.peak_open as f64,
        );
        for (name, help, count) in [
            (
                "harness_sessions_opened_total",
                "Sockets that reached connected.",
                of.opened,
            ),
            ("harness_tokens_total", "Tokens issued.", of.tokens_ok),
            (
                "harness_tokens_failed_total",
                "Token requests that were refused or failed.",
                of.tokens_failed,
            ),
            (
                "harness_clients_failed_total",
                "Clients that gave up.",
                of.failed,
            ),
        ] {
            self.total((name, help), count);
        }
        let closes = |counts: fn(&Window) -> &std::collections::BTreeMap<u16, u64>| {
            let whole = view::named(result, "whole run").map(counts);
            let each = whole.into_iter().flatten();
            each.map(|(code, &count)| self.count(&[("code", &code.to_string())], count))
                .collect::<Vec<_>>()
        };
        let (cut, planned, violation) = (
            closes(|window| &window.closes_cut),
            closes(|window| &window.closes_planned),
            closes(|window| &window.closes_violation),
        );
        self.add(
            MetricType::COUNTER,
            (
                "harness_sessions_violated_total",
                "Sockets that the harness closed for what came on them, by close code.",
            ),
            violation,
        );
        self.add(
            MetricType::COUNTER,
            (
                "harness_sessions_cut_total",
                "Sockets cut by the server or the network, by close code.",
            ),
            cut,
        );
        self.add(
            MetricType::COUNTER,
            (
                "harness_sessions_closed_total",
                "Sockets that ended as planned, by close code.",
            ),
            planned,
        );
    }

    fn latencies(&mut self, result: &RunResult) {
        let mut stages = Vec::new();
        for (stage, latency) in &result.latency {
            for (time, of) in [("response", latency.response), ("service", latency.service)] {
                let labels = [("stage", stage.as_str()), ("time", time)];
                stages.extend(of.map(|of| self.quantiles(&labels, of)));
            }
        }
        self.add(
            MetricType::SUMMARY,
            (
                "harness_latency_seconds",
                "Time by stage; response from the intended send, service from the real one.",
            ),
            stages,
        );
        for (name, help, of) in [
            (
                "harness_lateness_seconds",
                "Socket ready to write: the harness's own delay.",
                result.lateness,
            ),
            (
                "harness_lateness_without_pauses_seconds",
                "The same without the intervals in which the machine itself paused.",
                result.generator.lateness_net,
            ),
            (
                "harness_dispatch_delay_seconds",
                "Intended to actual send, waiting for the system included.",
                result.dispatch_delay,
            ),
            (
                "harness_receive_lag_seconds",
                "Kernel receive stamp to read by the harness.",
                result.receive_lag,
            ),
        ] {
            let metric = of.map(|of| self.quantiles(&[], of));
            self.add(
                MetricType::SUMMARY,
                (name, help),
                metric.into_iter().collect(),
            );
        }
    }

    fn expectations(&mut self, result: &RunResult) {
        let (mut held, mut observed, mut limit) = (Vec::new(), Vec::new(), Vec::new());
        let mut told: Vec<[&str; 3]> = Vec::new();
        for row in &result.expectations {
            let bound = row.expectation.bound;
            let words = [row.name.as_str(), row.when.as_str(), word(bound.comparison)];
            // A sample must not come twice: of two bounds of one kind the first is told.
            if told.contains(&words) {
                continue;
            }
            told.push(words);
            let [what, when, comparison] = words;
            let labels = [("what", what), ("when", when), ("bound", comparison)];
            let value = match row.status {
                CheckStatus::Held => 1.0,
                CheckStatus::Broke => 0.0,
                CheckStatus::Inconclusive => -1.0,
            };
            held.push(self.gauge(&labels, value));
            limit.push(self.gauge(&labels, in_base_unit(row, bound.value)));
            let seen = row.observed.map(|value| in_base_unit(row, value));
            observed.extend(seen.map(|value| self.gauge(&labels, value)));
        }
        for (name, help, metrics) in [
            (
                "harness_expectation_held",
                "1 held, 0 broke, -1 could not be judged.",
                held,
            ),
            (
                "harness_expectation_observed",
                "What was observed, in seconds, bytes or pieces.",
                observed,
            ),
            (
                "harness_expectation_limit",
                "The bound, in seconds, bytes or pieces.",
                limit,
            ),
        ] {
            self.add(MetricType::GAUGE, (name, help), metrics);
        }
    }

    fn faults(&mut self, result: &RunResult) {
        let (mut confirmed, mut times) = (Vec::new(), Vec::new());
        for fault in &result.faults {
            let name = fault.name.as_str();
            let value = f64::from(u8::from(fault.confirmed));
            confirmed.push(self.gauge(&[("fault", name)], value));
            for (time, us) in [
                ("impact", fault.impact_us),
                ("detect", fault.detect_us),
                ("recovery", fault.recovery_us),
                ("backlog_drain", fault.backlog_drain_us),
            ] {
                let labels = [("fault", name), ("time", time)];
                times.extend(us.map(|us| self.gauge(&labels, us as f64 / US_PER_S)));
            }
        }
        self.add(
            MetricType::GAUGE,
            (
                "harness_fault_confirmed",
                "1 when a probe through the faulted path met the fault.",
            ),
            confirmed,
        );
        self.add(
            MetricType::GAUGE,
            (
                "harness_fault_seconds",
                "Impact and detection from the injection, recovery and drain from the confirmed heal.",
            ),
            times,
        );
    }

    fn generator(&mut self, result: &RunResult) {
        let of = &result.generator;
        for (name, help, value) in [
            (
                "harness_generator_cpu_seconds",
                "Processor time of the harness.",
                of.cpu_seconds,
            ),
            (
                "harness_generator_memory_peak_bytes",
                "Largest anonymous memory of the harness.",
                of.rss_peak_bytes as f64,
            ),
            (
                "harness_generator_lane_busy_ratio",
                "Share of a core the busiest lane used over any 5 s.",
                of.lane_busy_ratio_max,
            ),
            (
                "harness_generator_sends_planned",
                "Sends the plan asked for.",
                of.planned_sends as f64,
            ),
            (
                "harness_generator_sends_made",
                "Sends put on a socket.",
                of.actual_sends as f64,
            ),
        ] {
            self.one((name, help), value);
        }
    }
}

const fn word(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Under => "under",
        Comparison::AtMost => "at_most",
        Comparison::Equals => "equals",
        Comparison::AtLeast => "at_least",
    }
}

fn in_base_unit(row: &ExpectationResult, value: f64) -> f64 {
    match row.unit {
        Unit::Microseconds => value / US_PER_S,
        Unit::Kibibytes => value * BYTES_PER_KIB,
        Unit::Messages | Unit::Sockets | Unit::Clients | Unit::Tokens | Unit::Conversations => {
            value
        }
    }
}

#[cfg(test)]
mod tests;
