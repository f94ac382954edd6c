//! This module cuts a run into windows: ramp, baseline, each fault, its recovery, after.
//!
//! **In:** the plan and how far each fault reached. **Out:** spans in order of time, and the
//! [`Window`] of everything that belongs to each.
//!
//! A message belongs to the fault that any part of its life touched, else to the span in which it
//! should have been sent. Sockets and tokens belong to the span of the moment itself; an interval
//! that a fault shares with its neighbour counts for the fault.
//!
//! **Units:** microseconds since load start.

use std::collections::BTreeMap;

use super::{Delivery, Window, WindowKind};
use crate::plan::Plan;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::{Cell, CellKey, CloseCause, Recording, SessionInterval};
use crate::stage::Stage;

/// How far one fault reached; faults that were never injected have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub fault: usize,
    pub from_us: u64,
    /// Heal confirmed, or the end of the run.
    pub healed_us: u64,
    /// Back in tolerance, or the end of the run.
    pub recovered_us: u64,
}

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub name: String,
    pub kind: WindowKind,
    pub fault: Option<usize>,
    pub from_us: u64,
    pub to_us: u64,
}

/// The run in order of time, without gaps; `reaches` by `from_us`.
pub(super) fn partition(plan: &Plan, reaches: &[Reach], end_us: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    let calm = |spans: &mut Vec<Span>, from_us: u64, to_us: u64, after: Option<&Reach>| {
        let span = |name: String, kind, fault, from_us, to_us| Span {
            name,
            kind,
            fault,
            from_us,
            to_us,
        };
        if let Some(reach) = after {
            let name = format!("after {}", plan.faults[reach.fault].name);
            spans.push(span(
                name,
                WindowKind::After,
                Some(reach.fault),
                from_us,
                to_us,
            ));
            return;
        }
        let ramp_end = plan.load.ramp_end_us().clamp(from_us, to_us);
        spans.push(span(
            "ramp".to_owned(),
            WindowKind::Ramp,
            None,
            from_us,
            ramp_end,
        ));
        spans.push(span(
            "baseline".to_owned(),
            WindowKind::Baseline,
            None,
            ramp_end,
            to_us,
        ));
    };
    let mut cursor = 0;
    let mut previous = None;
    for reach in reaches {
        if reach.from_us > cursor {
            calm(&mut spans, cursor, reach.from_us, previous);
        }
        for span in &mut spans {
            span.to_us = span.to_us.min(reach.from_us.max(span.from_us));
        }
        let name = &plan.faults[reach.fault].name;
        let fault = Some(reach.fault);
        spans.push(Span {
            name: name.clone(),
            kind: WindowKind::Fault,
            fault,
            from_us: reach.from_us,
            to_us: reach.healed_us,
        });
        spans.push(Span {
            name: format!("recovery of {name}"),
            kind: WindowKind::Recovery,
            fault,
            from_us: reach.healed_us,
            to_us: reach.recovered_us,
        });
        cursor = cursor.max(reach.recovered_us);
        previous = Some(reach);
    }
    if cursor < end_us {
        calm(&mut spans, cursor, end_us, previous);
    }
    spans.retain(|span| span.to_us > span.from_us || span.kind == WindowKind::Fault);
    spans
}

/// The span that messages of a cell belong to.
fn span_of_cell(spans: &[Span], key: CellKey, interval_us: u64) -> usize {
    if let Some(fault) = key.fault {
        let is_it =
            |span: &Span| span.kind == WindowKind::Fault && span.fault == Some(usize::from(fault));
        if let Some(place) = spans.iter().position(is_it) {
            return place;
        }
    }
    let start_us = u64::from(key.interval) * interval_us;
    let place = span_at(spans, start_us);
    // Untouched by the fault although its interval starts inside: intended after the heal.
    let after = spans[place..]
        .iter()
        .position(|span| span.kind != WindowKind::Fault);
    after.map_or(place, |steps| place + steps)
}

/// The span that sockets and tokens of an interval belong to.
pub(super) fn span_of_interval(spans: &[Span], interval: u32, interval_us: u64) -> usize {
    let start_us = u64::from(interval) * interval_us;
    let end_us = start_us + interval_us;
    let overlaps = |span: &Span| {
        span.kind == WindowKind::Fault && span.from_us < end_us && start_us < span.to_us
    };
    spans
        .iter()
        .position(overlaps)
        .unwrap_or_else(|| span_at(spans, start_us))
}

fn span_at(spans: &[Span], at_us: u64) -> usize {
    let found = spans
        .iter()
        .position(|span| span.from_us <= at_us && at_us < span.to_us);
    found.unwrap_or(spans.len().saturating_sub(1))
}

/// Everything that belongs to one window, before it is put in numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub delivery: Delivery,
    /// By stage: of messages from the cells, of sessions from the intervals.
    pub response: [SparseHistogram; Stage::COUNT],
    pub sessions: SessionInterval,
}

impl Tally {
    pub(super) fn add_cell(&mut self, cell: &Cell) {
        self.delivery.merge(cell.delivery);
        self.response[Stage::TaskQueued.index()].merge(&cell.task_queued);
        self.response[Stage::FirstChunk.index()].merge(&cell.first_chunk);
        self.response[Stage::Complete.index()].merge(&cell.complete);
        self.response[Stage::FanOut.index()].merge(&cell.fan_out);
    }

    pub(super) fn add_sessions(&mut self, sessions: &SessionInterval) {
        for (mine, theirs) in self.response.iter_mut().zip(&sessions.response) {
            mine.merge(theirs);
        }
        self.sessions.merge(sessions);
    }

    fn merge(&mut self, other: &Self) {
        self.delivery.merge(other.delivery);
        for (mine, theirs) in self.response.iter_mut().zip(&other.response) {
            mine.merge(theirs);
        }
        self.sessions.merge(&other.sessions);
    }

    /// Sockets that ended, by code, for one cause.
    pub(super) fn closes(&self, cause: CloseCause) -> BTreeMap<u16, u64> {
        closes(&self.sessions, cause)
    }
}

/// Sockets of one interval that ended, by code, for one cause.
pub(super) fn closes(sessions: &SessionInterval, wanted: CloseCause) -> BTreeMap<u16, u64> {
    let matching = sessions
        .closes
        .iter()
        .filter(|((_, cause), _)| *cause == wanted);
    matching.map(|(&(code, _), &count)| (code, count)).collect()
}

/// One tally per span.
pub(super) fn tallies(recording: &Recording, spans: &[Span], interval_us: u64) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); spans.len()];
    for (&key, cell) in &recording.cells {
        tallies[span_of_cell(spans, key, interval_us)].add_cell(cell);
    }
    for (&interval, sessions) in &recording.sessions {
        tallies[span_of_interval(spans, interval, interval_us)].add_sessions(sessions);
    }
    tallies
}

/// Of all that was intended, and of sockets and tokens, from one moment to another, whatever fault touched it.
pub(super) fn between(recording: &Recording, interval_us: u64, part: (u64, u64)) -> Tally {
    let within = |interval: u32| {
        let start_us = u64::from(interval) * interval_us;
        (part.0..part.1).contains(&start_us)
    };
    let mut tally = Tally::default();
    for (_, cell) in recording
        .cells
        .iter()
        .filter(|(key, _)| within(key.interval))
    {
        tally.add_cell(cell);
    }
    let sessions = recording.sessions.iter();
    for (_, sessions) in sessions.filter(|(interval, _)| within(**interval)) {
        tally.add_sessions(sessions);
    }
    tally
}

/// The tally of every span that `keep` wants, together.
pub(super) fn together(spans: &[Span], tallies: &[Tally], keep: impl Fn(&Span) -> bool) -> Tally {
    let mut all = Tally::default();
    for (_, tally) in spans.iter().zip(tallies).filter(|(span, _)| keep(span)) {
        all.merge(tally);
    }
    all
}

/// A tally in numbers.
pub(super) fn window(span: &Span, tally: &Tally) -> Window {
    let latency = Stage::ALL.into_iter().filter_map(|stage| {
        tally.response[stage.index()]
            .summary()
            .map(|numbers| (stage.name().to_owned(), numbers))
    });
    let service = tally
        .sessions
        .token_service
        .summary()
        .map(|numbers| (Stage::Token.name().to_owned(), numbers));
    Window {
        name: span.name.clone(),
        kind: span.kind,
        fault: span.fault,
        from_us: span.from_us,
        to_us: span.to_us,
        delivery: tally.delivery,
        latency: latency.collect(),
        service: service.into_iter().collect(),
        closes_cut: tally.closes(CloseCause::Cut),
        closes_planned: tally.closes(CloseCause::Planned),
        closes_violation: tally.closes(CloseCause::Violation),
        tokens_ok: tally.sessions.tokens_ok,
        tokens_failed: tally.sessions.tokens_failed,
        clients_failed: tally.sessions.clients_failed,
    }
}
