//! This module writes `metrics.prom`: the result as Prometheus samples, for a text-file collector.
//!
//! **In:** the result. **Out:** the text exposition format; names begin with `harness_`.
//! **Units:** seconds and bytes, as Prometheus has it. The verdict is told here, never made here.

use ::prometheus::{Encoder as _, GaugeVec, Opts, Registry, TextEncoder};

use super::{RenderError, Renderer, format, words};
use crate::result::{CheckStatus, ExpectationResult, RunResult, Summary, Unit};

/// `metrics.prom`.
pub(crate) struct Metrics;

const US_PER_S: f64 = 1e6;
const BYTES_PER_KIB: f64 = 1_024.0;

impl Renderer for Metrics {
    fn file(&self) -> &'static str {
        "metrics.prom"
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        samples(result).map_err(RenderError::Metrics)
    }
}

type Set<T> = Result<T, ::prometheus::Error>;

fn samples(result: &RunResult) -> Set<Vec<u8>> {
    let registry = Registry::new();
    run(&registry, result)?;
    messages(&registry, result)?;
    latencies(&registry, result)?;
    expectations(&registry, result)?;
    faults(&registry, result)?;
    generator(&registry, result)?;
    let mut bytes = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut bytes)?;
    Ok(bytes)
}

/// A family whose samples are set one by one.
fn family(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Set<GaugeVec> {
    let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn set(gauges: &GaugeVec, labels: &[&str], value: f64) -> Set<()> {
    let labels: Vec<String> = labels.iter().map(|label| format::harmless(label)).collect();
    gauges.get_metric_with_label_values(&labels)?.set(value);
    Ok(())
}

fn run(registry: &Registry, result: &RunResult) -> Set<()> {
    let run = &result.run;
    let info = family(
        registry,
        "harness_run_info",
        "Which run this is; always 1.",
        &["run", "scenario", "seed", "version"],
    )?;
    let seed = run.seed.to_string();
    set(
        &info,
        &[&run.id, &run.title, &seed, &run.harness_version],
        1.0,
    )?;
    let verdict = family(
        registry,
        "harness_run_verdict",
        "The verdict; always 1.",
        &["status"],
    )?;
    let word = words::status(result.verdict.status).word.to_lowercase();
    set(&verdict, &[&word], 1.0)?;
    let exit = family(
        registry,
        "harness_run_exit_code",
        "Exit code of the run.",
        &[],
    )?;
    set(&exit, &[], f64::from(result.exit_code))?;
    let length = family(
        registry,
        "harness_run_duration_seconds",
        "Load and drain.",
        &[],
    )?;
    set(&length, &[], run.duration_us as f64 / US_PER_S)
}

fn messages(registry: &Registry, result: &RunResult) -> Set<()> {
    let all = result.delivery;
    let messages = family(
        registry,
        "harness_messages",
        "Messages by what became of them; sent is the sum of completed, refused, unanswered, lost and pending.",
        &["outcome"],
    )?;
    for (outcome, count) in [
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
    ] {
        set(&messages, &[outcome], count as f64)?;
    }
    let of = &result.clients;
    let clients = family(
        registry,
        "harness_clients",
        "Clients and their sockets.",
        &["kind"],
    )?;
    for (kind, count) in [
        ("planned", of.planned),
        ("peak_open", of.peak_open),
        ("opened", of.opened),
        ("failed", of.failed),
        ("cut", of.cut),
    ] {
        set(&clients, &[kind], count as f64)?;
    }
    let closes = family(registry, "harness_closes", "Sockets that ended.", &["code"])?;
    for (code, count) in &result.closes {
        set(&closes, &[&code.to_string()], *count as f64)?;
    }
    let errors = family(registry, "harness_errors", "Errors by label.", &["error"])?;
    for (label, count) in &result.errors {
        set(&errors, &[label], *count as f64)?;
    }
    Ok(())
}

fn latencies(registry: &Registry, result: &RunResult) -> Set<()> {
    let seconds = family(
        registry,
        "harness_latency_seconds",
        "Latency by stage; time is response (from the intended send) or service (from the real one).",
        &["stage", "time", "quantile"],
    )?;
    let counts = family(
        registry,
        "harness_latency_count",
        "Values behind harness_latency_seconds.",
        &["stage", "time"],
    )?;
    let one = |stage: &str, time: &str, of: Option<Summary>| -> Set<()> {
        let Some(of) = of else { return Ok(()) };
        for (quantile, us) in [
            ("0.5", of.p50_us),
            ("0.9", of.p90_us),
            ("0.99", of.p99_us),
            ("0.999", of.p999_us),
            ("1", of.max_us),
        ] {
            set(&seconds, &[stage, time, quantile], us as f64 / US_PER_S)?;
        }
        set(&counts, &[stage, time], of.count as f64)
    };
    for (stage, latency) in &result.latency {
        one(stage, "response", latency.response)?;
        one(stage, "service", latency.service)?;
    }
    one("harness", "lateness", result.lateness)?;
    let net = result.generator.lateness_net;
    one("harness", "lateness_without_pauses", net)?;
    one("harness", "dispatch_delay", result.dispatch_delay)?;
    one("harness", "receive_lag", result.receive_lag)
}

fn expectations(registry: &Registry, result: &RunResult) -> Set<()> {
    let held = family(
        registry,
        "harness_expectation_held",
        "1 held, 0 broke, -1 could not be judged.",
        &["what", "when"],
    )?;
    let observed = family(
        registry,
        "harness_expectation_observed",
        "What was observed, seconds or a count.",
        &["what", "when"],
    )?;
    let limit = family(
        registry,
        "harness_expectation_limit",
        "The bound, seconds or a count.",
        &["what", "when"],
    )?;
    for row in &result.expectations {
        let labels = [row.name.as_str(), row.when.as_str()];
        let value = match row.status {
            CheckStatus::Held => 1.0,
            CheckStatus::Broke => 0.0,
            CheckStatus::Inconclusive => -1.0,
        };
        set(&held, &labels, value)?;
        set(
            &limit,
            &labels,
            in_base_unit(row, row.expectation.bound.value),
        )?;
        if let Some(value) = row.observed {
            set(&observed, &labels, in_base_unit(row, value))?;
        }
    }
    Ok(())
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

fn faults(registry: &Registry, result: &RunResult) -> Set<()> {
    let confirmed = family(
        registry,
        "harness_fault_confirmed",
        "1 when a probe through the faulted path met the fault.",
        &["fault"],
    )?;
    let times = family(
        registry,
        "harness_fault_seconds",
        "Impact and detection from the injection, recovery and drain from the confirmed heal.",
        &["fault", "time"],
    )?;
    for fault in &result.faults {
        set(
            &confirmed,
            &[&fault.name],
            f64::from(u8::from(fault.confirmed)),
        )?;
        for (time, us) in [
            ("impact", fault.impact_us),
            ("detect", fault.detect_us),
            ("recovery", fault.recovery_us),
            ("backlog_drain", fault.backlog_drain_us),
        ] {
            if let Some(us) = us {
                set(&times, &[&fault.name, time], us as f64 / US_PER_S)?;
            }
        }
    }
    Ok(())
}

fn generator(registry: &Registry, result: &RunResult) -> Set<()> {
    let of = &result.generator;
    for (name, help, value) in [
        (
            "harness_generator_cpu_seconds",
            "Processor time of the harness.",
            of.cpu_seconds,
        ),
        (
            "harness_generator_rss_peak_bytes",
            "Largest anonymous memory of the harness.",
            of.rss_peak_bytes as f64,
        ),
        (
            "harness_generator_lane_busy_ratio_max",
            "Busiest lane over any 5 s.",
            of.lane_busy_ratio_max,
        ),
        (
            "harness_generator_planned_sends",
            "Sends the plan asked for.",
            of.planned_sends as f64,
        ),
        (
            "harness_generator_actual_sends",
            "Sends put on a socket.",
            of.actual_sends as f64,
        ),
    ] {
        set(&family(registry, name, help, &[])?, &[], value)?;
    }
    Ok(())
}
