//! This module writes `journal.json`: the run as an experiment of the Chaos Toolkit.
//!
//! **In:** the result. **Out:** one JSON document. The expectations and checks of correctness are the
//! steady-state hypothesis, met or not at the end; what was answered before the first fault stands for it at
//! the beginning. A fault is an action of the method, its end a rollback. A run that cannot be trusted has
//! *failed*; one that can and broke its hypothesis is *completed* and *deviated*.
//!
//! **Units:** seconds; moments in RFC 3339. **Source:** the journal of `chaostoolkit-lib`, and what
//! `chaostoolkit-reporting` reads of it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::renderer::{RenderError, Renderer};
use super::{file, view};
use crate::record::fault::FaultStamps;
use crate::result::{
    CheckGroup, CheckStatus, RunResult, Status, WindowKind, bound_text, observed_text,
};

/// `journal.json`.
pub(crate) struct Journal;

/// The library whose journals look like this.
const LIBRARY: &str = "1.44.0";

impl Renderer for Journal {
    fn file(&self) -> &'static str {
        file::JOURNAL
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        serde_json::to_vec_pretty(&document(result)).map_err(RenderError::Json)
    }
}

fn document(result: &RunResult) -> Value {
    let run = &result.run;
    let when = When::of(result);
    let probes = probes(result);
    let activities: Vec<Activity<'_>> = activities(result).collect();
    let hypothesis: Vec<&Value> = probes.iter().map(|probe| &probe["activity"]).collect();
    let method: Vec<Value> = activities.iter().map(Activity::action).collect();
    let rollbacks: Vec<Value> = activities.iter().filter_map(Activity::rollback).collect();
    // What the run did not live to see is planned, and not run.
    let begun = |activity: &&Activity<'_>| activity.stamps.injecting_us.is_some();
    let done = activities.iter().filter(begun);
    let done = done.map(|activity| activity.done(&when));
    let undone = activities
        .iter()
        .filter_map(|activity| activity.undone(&when));
    json!({
        "chaoslib-version": LIBRARY,
        "platform": run.host.kernel,
        "node": format!("harness {}", run.harness_version),
        "experiment": {
            "version": "1.0.0",
            "title": run.title,
            "description": run.question,
            "tags": ["harness", run.scenario],
            "steady-state-hypothesis": {
                "title": "Every expectation holds, and the service does nothing wrong",
                "probes": hypothesis,
            },
            "method": method,
            "rollbacks": rollbacks,
        },
        "start": when.at(0),
        "status": status(result),
        "deviated": result.verdict.status == Status::Fail,
        "steady_states": {
            "before": before(result, &when),
            "after": {
                "steady_state_met": probes.iter().all(|probe| probe["tolerance_met"] == true),
                "probes": probes,
            },
            "during": [],
        },
        "run": done.collect::<Vec<_>>(),
        "rollbacks": undone.collect::<Vec<_>>(),
        "end": when.at(run.duration_us),
        "duration": seconds(run.duration_us),
    })
}

fn status(result: &RunResult) -> &'static str {
    match result.verdict.status {
        Status::Pass | Status::Fail => "completed",
        Status::Invalid | Status::Inconclusive => "failed",
        Status::Interrupted if result.run.aborted.is_some() => "aborted",
        Status::Interrupted => "interrupted",
    }
}

/// Moments of the run, as a calendar has them.
struct When<'a> {
    started_at: &'a str,
    started: Option<std::time::SystemTime>,
}

impl<'a> When<'a> {
    fn of(result: &'a RunResult) -> Self {
        let started_at = result.run.started_at.as_str();
        Self {
            started_at,
            started: humantime::parse_rfc3339(started_at).ok(),
        }
    }

    /// Where there is no such moment, or the start cannot be read, that is shown as it is.
    fn at(&self, us: u64) -> String {
        let later = |start: std::time::SystemTime| start.checked_add(Duration::from_micros(us));
        // A calendar has no year past 9999.
        let written = |moment: std::time::SystemTime| {
            let mut text = String::new();
            write!(text, "{}", humantime::format_rfc3339_micros(moment)).ok()?;
            Some(text)
        };
        let moment = self.started.and_then(later).and_then(written);
        moment.unwrap_or_else(|| self.started_at.to_owned())
    }
}

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// How this harness is called to do that.
fn provider(arguments: &[&str]) -> Value {
    json!({ "type": "process", "path": "harness", "arguments": arguments.join(" ") })
}

fn probe(name: &str, tolerance: &str, output: &str, met: bool, (from, to): (&str, &str)) -> Value {
    json!({
        "activity": {
            "type": "probe",
            "name": name,
            "tolerance": tolerance,
            "provider": provider(&["report"]),
        },
        "start": from,
        "end": to,
        "duration": 0.0,
        "status": "succeeded",
        "output": output,
        "tolerance_met": met,
    })
}

/// What was expected, and what the service must never do; as judged at the end.
fn probes(result: &RunResult) -> Vec<Value> {
    let end = When::of(result).at(result.run.duration_us);
    let moment = (end.as_str(), end.as_str());
    let expectations = view::expectations(result).into_iter().map(|row| {
        let name = format!("{}, {}", row.name, row.when);
        let met = row.status == CheckStatus::Held;
        probe(&name, &bound_text(row), &observed_text(row), met, moment)
    });
    let checks = view::checks(result).into_iter();
    let checks = checks.filter(|check| check.group == CheckGroup::Correctness);
    let checks = checks.map(|check| {
        let met = check.status == CheckStatus::Held;
        probe(&check.name, &check.bound, &check.observed, met, moment)
    });
    expectations.chain(checks).collect()
}

/// What became of the messages before the first fault; `null` where none came before it.
fn before(result: &RunResult, when: &When<'_>) -> Value {
    let mut windows = result.windows.iter();
    let Some(baseline) = windows.find(|window| window.kind == WindowKind::Baseline) else {
        return Value::Null;
    };
    let delivery = &baseline.delivery;
    let wrong = delivery.refused + delivery.unanswered + delivery.lost;
    let name = "messages refused, unanswered or lost before the first fault";
    let (from, to) = (when.at(baseline.from_us), when.at(baseline.to_us));
    let output = format!("{wrong} of {}", delivery.sent);
    let probe = probe(name, "= 0", &output, wrong == 0, (&from, &to));
    json!({ "steady_state_met": wrong == 0, "probes": [probe] })
}

/// A fault or a condition.
struct Activity<'a> {
    name: &'a str,
    what: &'a str,
    planned_us: u64,
    stamps: &'a FaultStamps,
    confirmed: bool,
    output: Value,
}

fn activities(result: &RunResult) -> impl Iterator<Item = Activity<'_>> {
    let faults = result.faults.iter().map(|fault| Activity {
        name: &fault.name,
        what: &fault.what,
        planned_us: fault.planned_us,
        stamps: &fault.stamps,
        confirmed: fault.confirmed,
        output: json!({
            "impact_s": fault.impact_us.map(seconds),
            "detect_s": fault.detect_us.map(seconds),
            "recovery_s": fault.recovery_us.map(seconds),
            "backlog_drain_s": fault.backlog_drain_us.map(seconds),
            "budget_burned_ratio": fault.budget_burned_ratio,
            "cut": fault.cut,
        }),
    });
    let conditions = result.conditions.iter().map(|condition| Activity {
        name: &condition.name,
        what: &condition.what,
        planned_us: condition.planned_us,
        stamps: &condition.stamps,
        confirmed: condition.confirmed,
        output: Value::Null,
    });
    faults.chain(conditions)
}

impl Activity<'_> {
    fn action(&self) -> Value {
        json!({
            "type": "action",
            "name": self.name,
            "provider": provider(&["run", "fault:", self.what]),
        })
    }

    /// Its end, where the run brought that about.
    fn rollback(&self) -> Option<Value> {
        self.stamps.healing_us?;
        Some(json!({
            "type": "action",
            "name": format!("end of {}", self.name),
            "provider": provider(&["run", "end of fault:", self.what]),
        }))
    }

    /// From its injection until its end was brought about; what lasted longer than the run, or acts at one moment, until
    /// it was in force.
    fn done(&self, when: &When<'_>) -> Value {
        let stamps = self.stamps;
        let from_us = stamps.injecting_us.unwrap_or(self.planned_us);
        let ends = [stamps.healing_us, stamps.healed_us, stamps.confirmed_us];
        let to_us = ends.into_iter().flatten().next().or(stamps.injected_us);
        let moments = (from_us, to_us.unwrap_or(from_us));
        let mut entry = entry(&self.action(), moments, when, self.confirmed);
        entry["output"] = self.output.clone();
        if let Some(problem) = &stamps.problem {
            entry["exception"] = json!([problem]);
        }
        entry
    }

    fn undone(&self, when: &When<'_>) -> Option<Value> {
        let stamps = self.stamps;
        let from_us = stamps.healing_us?;
        let to_us = stamps.heal_confirmed_us.or(stamps.healed_us);
        let moments = (from_us, to_us.unwrap_or(from_us));
        let healed = stamps.heal_confirmed_us.is_some();
        Some(entry(&self.rollback()?, moments, when, healed))
    }
}

fn entry(activity: &Value, (from_us, to_us): (u64, u64), when: &When<'_>, good: bool) -> Value {
    json!({
        "activity": activity,
        "start": when.at(from_us),
        "end": when.at(to_us),
        "duration": seconds(to_us.saturating_sub(from_us)),
        "status": if good { "succeeded" } else { "failed" },
        "output": Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{Story, result};

    #[test]
    fn a_broken_promise_is_a_deviation_and_a_bad_measurement_a_failure() {
        for (story, status, deviated) in [
            (Story::Pass, "completed", false),
            (Story::Fail, "completed", true),
            (Story::Invalid, "failed", false),
            (Story::Inconclusive, "failed", false),
            (Story::Interrupted, "interrupted", false),
        ] {
            let journal = document(&result(story));
            assert_eq!(journal["status"], status);
            assert_eq!(journal["deviated"], deviated, "{status}");
            let met = &journal["steady_states"]["after"]["steady_state_met"];
            if status == "completed" {
                assert_eq!(*met, !deviated);
            }
        }
    }

    #[test]
    fn a_fault_is_an_action_with_its_times_and_its_end_a_rollback() {
        let result = result(Story::Fail);
        let journal = document(&result);
        let (fault, done) = (&result.faults[0], &journal["run"][0]);
        assert_eq!(done["activity"]["name"], fault.name.as_str());
        assert_eq!(done["status"], "succeeded");
        let recovery = fault.recovery_us.map(seconds);
        assert_eq!(done["output"]["recovery_s"], json!(recovery));
        let undone = &journal["rollbacks"][0];
        assert_eq!(undone["status"], "succeeded");
        let moment = |value: &Value| humantime::parse_rfc3339(value.as_str().unwrap()).unwrap();
        let length = done["duration"].as_f64().unwrap();
        assert!(
            (length - 4.999_4).abs() < 1e-6,
            "the fault lasted 5 s, not {length}"
        );
        let order = [
            moment(&journal["start"]),
            moment(&done["start"]),
            moment(&done["end"]),
            moment(&undone["start"]),
            moment(&undone["end"]),
            moment(&journal["end"]),
        ];
        assert!(order.is_sorted(), "{order:?}");
    }
}
