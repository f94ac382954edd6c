//! This module holds what the harness reports of a run against the target's record.
//!
//! **In:** what both say of a run. **Out:** its percentiles beside each other, and what is not as it must be, in words.
//!
//! **Units:** nanoseconds; microseconds in what is written for others.

use serde_json::{Value, json};

use crate::drive::{Case, Seen};
use crate::law::NS_PER_MS;
use crate::record::{PERCENTILES, Percentile, nearest_rank, tolerance_ns};

/// From this on a response time has no excuse: what the generator adds to a time as long as a stall is not to be seen.
const LONG_NS: u64 = 500 * NS_PER_MS;
/// Exit code of a run whose numbers the harness itself does not trust.
const INVALID: i32 = 13;

/// One percentile, as everybody has it.
pub(crate) struct Row {
    pub percentile: Percentile,
    pub law_ns: u64,
    pub record_ns: u64,
    /// From the intended moment.
    pub response_ns: u64,
    /// From the moment at which it was sent.
    pub service_ns: u64,
    /// From the intended moment to the send, by the same percentile, and by that beyond which a tenth as many lie.
    pub delay_ns: u64,
    pub delay_further_ns: u64,
}

pub(crate) struct Finding {
    pub case: Case,
    pub samples: usize,
    pub rows: Vec<Row>,
    pub exit_code: Option<i32>,
    /// What the harness says of the run.
    pub sentence: String,
    /// What does not hold.
    pub broke: Vec<String>,
}

pub(crate) fn judge(case: Case, seen: &Seen) -> Finding {
    let samples = seen.record_ns.len();
    let sentence = seen.result.pointer("/verdict/sentence");
    let sentence = sentence.and_then(Value::as_str).unwrap_or("no verdict");
    let mut broke = Vec::new();
    match seen.exit_code {
        Some(0) => {}
        Some(INVALID) => broke.push(format!("the run is not valid: {sentence}")),
        code => broke.push(format!("the run ended with {code:?}: {sentence}")),
    }
    let counted = number(&seen.result, "/latency/complete/response/count").unwrap_or(0);
    if usize::try_from(counted).ok() != Some(samples) {
        broke.push(format!("{counted} answers reported, {samples} recorded"));
    }
    let supported = PERCENTILES
        .into_iter()
        .filter(|percentile| samples >= percentile.samples_min);
    let rows: Vec<Row> = supported
        .filter_map(|percentile| row(case, seen, percentile))
        .collect();
    if rows.is_empty() {
        broke.push("no percentile to compare".to_owned());
    }
    broke.extend(rows.iter().flat_map(Row::broke));
    Finding {
        case,
        samples,
        rows,
        exit_code: seen.exit_code,
        sentence: sentence.to_owned(),
        broke,
    }
}

fn row(case: Case, seen: &Seen, percentile: Percentile) -> Option<Row> {
    let of = |what: &str, field: &str| {
        let us = number(&seen.result, &format!("/{what}/{field}"));
        us.map(|us| us * 1_000)
    };
    let field = percentile.field;
    Some(Row {
        percentile,
        law_ns: case.law.quantile_ns(percentile.ratio),
        record_ns: nearest_rank(&seen.record_ns, percentile.ratio)?,
        response_ns: of("latency/complete/response", field)?,
        service_ns: of("latency/complete/service", field)?,
        delay_ns: of("dispatch_delay", field)?,
        delay_further_ns: of("dispatch_delay", percentile.further)?,
    })
}

fn number(result: &Value, pointer: &str) -> Option<u64> {
    result.pointer(pointer).and_then(Value::as_u64)
}

impl Row {
    /// Where times are short, a response may be longer than the record by what lay between the intended moment and the
    /// send, which the target cannot know. Tails of both add up, so that is taken further out in its own. By nothing may a
    /// response be shorter.
    pub(crate) fn broke(&self) -> Vec<String> {
        let record_ns = self.record_ns;
        let off = |what: &str, reported_ns: u64, more_ns: u64| {
            let mut allowed_ns = tolerance_ns(record_ns);
            if reported_ns > record_ns && record_ns < LONG_NS {
                allowed_ns += more_ns;
            }
            let off_ns = reported_ns.abs_diff(record_ns);
            (off_ns > allowed_ns).then(|| {
                format!(
                    "{} {what}: {:.3} ms reported, {:.3} ms recorded: {:.3} ms apart, {:.3} ms allowed",
                    self.percentile.name,
                    ms(reported_ns),
                    ms(record_ns),
                    ms(off_ns),
                    ms(allowed_ns)
                )
            })
        };
        let response = off("response", self.response_ns, self.delay_further_ns);
        let service = off("service", self.service_ns, 0);
        response.into_iter().chain(service).collect()
    }

    fn json(&self) -> Value {
        let us = |ns: u64| ns as f64 / 1e3;
        json!({
            "percentile": self.percentile.name,
            "law_us": us(self.law_ns),
            "record_us": us(self.record_ns),
            "response_us": us(self.response_ns),
            "service_us": us(self.service_ns),
            "dispatch_delay_us": us(self.delay_ns),
        })
    }
}

impl Finding {
    /// Whether the harness itself does not trust the run.
    pub(crate) fn is_invalid(&self) -> bool {
        self.exit_code == Some(INVALID)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "law": self.case.law.name(),
            "arrival": self.case.arrival(),
            "clients": self.case.clients,
            "every_ms": self.case.every_ms,
            "hold_s": self.case.hold_s,
            "samples": self.samples,
            "percentiles": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "exit_code": self.exit_code,
            "sentence": self.sentence,
            "broke": self.broke,
        })
    }

    #[expect(clippy::print_stdout, reason = "the figures are what this is for")]
    pub(crate) fn print(&self) {
        println!("\n{}: {} answers", self.case.title(), self.samples);
        println!(
            "{:<8}{:>12}{:>12}{:>12}{:>9}{:>12}{:>9}{:>12}",
            "ms", "law", "record", "response", "off", "service", "off", "sent after"
        );
        for row in &self.rows {
            let off = |ns: u64| {
                let off_ns = ns as f64 - row.record_ns as f64;
                // Of a short time a share says nothing.
                if row.record_ns < 100 * NS_PER_MS {
                    format!("{:+.0} µs", off_ns / 1e3)
                } else {
                    format!("{:+.2} %", off_ns / row.record_ns as f64 * 100.0)
                }
            };
            println!(
                "{:<8}{:>12.3}{:>12.3}{:>12.3}{:>9}{:>12.3}{:>9}{:>12.3}",
                row.percentile.name,
                ms(row.law_ns),
                ms(row.record_ns),
                ms(row.response_ns),
                off(row.response_ns),
                ms(row.service_ns),
                off(row.service_ns),
                ms(row.delay_ns)
            );
        }
        for broke in &self.broke {
            println!("  does not hold: {broke}");
        }
    }
}

pub(crate) fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}
