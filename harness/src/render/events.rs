//! This module writes `events.jsonl`: what happened, one line each, in order of time.
//!
//! **In:** windows, fault stamps, processes that died, machine pauses and example messages of the
//! result.
//! **Out:** JSON lines. **Units:** `at_us` counts from load start.

use serde::Serialize;

use super::file;
use super::renderer::{RenderError, Renderer};
use crate::result::{Example, FaultResult, RunResult};

/// `events.jsonl`.
pub(crate) struct Events;

impl Renderer for Events {
    fn file(&self) -> &'static str {
        file::EVENTS
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let mut bytes = Vec::new();
        for event in events(result) {
            serde_json::to_writer(&mut bytes, &event).map_err(RenderError::Json)?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

#[derive(Serialize)]
struct Event<'a> {
    at_us: u64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> Event<'a> {
    const fn new(at_us: u64, event: &'static str) -> Self {
        Self {
            at_us,
            event,
            name: None,
            length_us: None,
            client: None,
            detail: None,
        }
    }

    const fn named(at_us: u64, event: &'static str, name: &'a str) -> Self {
        Self {
            name: Some(name),
            ..Self::new(at_us, event)
        }
    }
}

fn events(result: &RunResult) -> Vec<Event<'_>> {
    let run = &result.run;
    let mut events = vec![Event {
        name: Some(&run.id),
        detail: Some(&run.started_at),
        ..Event::new(0, "load_started")
    }];
    for window in &result.windows {
        events.push(Event {
            length_us: Some(window.to_us.saturating_sub(window.from_us)),
            ..Event::named(window.from_us, "window", &window.name)
        });
    }
    for fault in &result.faults {
        events.extend(stamps(fault));
    }
    for condition in &result.conditions {
        events.push(Event {
            detail: Some(&condition.what),
            ..Event::named(condition.planned_us, "condition_planned", &condition.name)
        });
        let confirmed = condition.stamps.confirmed_us;
        events.extend(confirmed.map(|us| Event::named(us, "condition_confirmed", &condition.name)));
    }
    for process in &result.ended_processes {
        events.push(Event {
            detail: process.fact.as_deref(),
            ..Event::named(process.seen_us, "process_gone", &process.what)
        });
    }
    for pause in &result.generator.pauses {
        events.push(Event {
            length_us: Some(pause.length_us),
            ..Event::new(pause.at_us, "machine_paused")
        });
    }
    for example in &result.examples {
        events.extend(message(example));
    }
    events.sort_by_key(|event| event.at_us);
    events.push(Event {
        detail: Some(&result.verdict.sentence),
        ..Event::named(run.duration_us, "run_ended", &run.id)
    });
    events
}

fn stamps(fault: &FaultResult) -> Vec<Event<'_>> {
    let stamps = &fault.stamps;
    let injected_us = stamps.injected_us.or(stamps.injecting_us);
    let impact_us = fault
        .impact_us
        .zip(injected_us)
        .map(|(after, at)| at + after);
    let known = [
        (Some(fault.planned_us), "fault_planned"),
        (stamps.injecting_us, "fault_injecting"),
        (stamps.injected_us, "fault_injected"),
        (stamps.confirmed_us, "fault_confirmed"),
        (impact_us, "fault_impact"),
        (stamps.readiness_red_us, "readiness_red"),
        (stamps.healing_us, "fault_healing"),
        (stamps.healed_us, "fault_healed"),
        (stamps.heal_confirmed_us, "fault_heal_confirmed"),
        (stamps.readiness_green_us, "readiness_green"),
        (fault.recovered_at_us, "recovered"),
    ];
    known
        .into_iter()
        .filter_map(|(at_us, event)| {
            let planned = event == "fault_planned";
            at_us.map(|at_us| Event {
                length_us: planned.then_some(fault.planned_for_us),
                detail: planned.then_some(fault.what.as_str()),
                ..Event::named(at_us, event, &fault.name)
            })
        })
        .collect()
}

/// The message where it should have been sent, and where its life ended.
fn message(example: &Example) -> Vec<Event<'_>> {
    let at = |at_us, event| Event {
        client: Some(example.client),
        detail: Some(&example.what),
        ..Event::named(at_us, event, &example.client_message_id)
    };
    let mut events = vec![at(example.intended_us, "message_intended")];
    events.extend(example.ended_us.map(|us| at(us, "message_ended")));
    events
}
