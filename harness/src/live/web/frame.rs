//! This module says what the page is told, as JSON.
//!
//! **In:** the plan, what is seen now, slots of the timeline. **Out:** a [`Hello`] once, a [`Frame`] at each drawing. Facts are
//! the rows of the block, word by word; charts are drawn of slots, which are sent as they change.
//!
//! **Units:** microseconds; counts within a slot.

use serde::Serialize;

use super::super::block::total_us;
use super::super::fact::{self, Progress};
use super::super::lane::limit_us;
use super::super::now::{FaultNow, Now};
use super::super::row::Row;
use super::super::text::Text;
use super::super::timeline::{SLOTS, Slot};
use super::super::view::Glyphs;
use crate::format;
use crate::plan::Plan;

/// What does not change.
#[derive(Debug, Serialize)]
pub(super) struct Hello {
    title: String,
    run: String,
    load_us: u64,
    total_us: u64,
    slots: usize,
    /// What `complete p99` must stay under.
    limit_us: Option<f64>,
    faults: Vec<PlannedWindow>,
}

#[derive(Debug, Serialize)]
struct PlannedWindow {
    name: String,
    at_us: u64,
    for_us: u64,
    /// It has no end, and is no window.
    condition: bool,
}

impl Hello {
    pub(super) fn of(plan: &Plan, run_id: &str) -> Self {
        let faults = plan.faults.iter().map(|planned| PlannedWindow {
            name: format::harmless(&planned.name),
            at_us: planned.at_us,
            for_us: planned.for_us,
            condition: planned.condition,
        });
        Self {
            title: format::harmless(&plan.title),
            run: run_id.to_owned(),
            load_us: plan.load.load_us(),
            total_us: total_us(plan),
            slots: SLOTS,
            limit_us: limit_us(plan),
            faults: faults.collect(),
        }
    }
}

/// The run, now.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    at_us: u64,
    progress: Progress,
    rows: Vec<Said>,
    /// By fault of the plan: injected, healed.
    faults: Vec<(Option<u64>, Option<u64>)>,
}

/// A row of the block: its label, and of each field the parts with their tones.
#[derive(Debug, Serialize)]
struct Said {
    label: &'static str,
    fields: Vec<Text>,
}

impl Said {
    fn of(row: &Row) -> Self {
        Self {
            label: row.label(),
            fields: row.texts().cloned().collect(),
        }
    }
}

impl Frame {
    pub(super) fn of(plan: &Plan, now: &Now, faults: &[FaultNow]) -> Self {
        let said = fact::rows(now, Glyphs::Blocks);
        let fault = Said {
            label: "fault",
            fields: vec![fact::fault(plan, now, faults)],
        };
        Self {
            at_us: now.at_us,
            progress: Progress::of(plan, now),
            rows: std::iter::once(fault)
                .chain(said.iter().map(Said::of))
                .collect(),
            faults: faults
                .iter()
                .map(|of| (of.injected_us, of.healed_us))
                .collect(),
        }
    }
}

/// A slot by its place: what it stands for, what happened in it, how it was at its end, and p50 and p99.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Point(usize, u64, [u64; 3], [u64; 2], [Option<u64>; 2]);

impl Point {
    pub(super) fn of(place: usize, slot: &Slot) -> Self {
        let at = |quantile| (!slot.answers.is_empty()).then(|| slot.answers.value_at(quantile));
        Self(
            place,
            slot.span_us,
            [slot.sent, slot.completed, slot.failed],
            [slot.open, slot.waiting],
            [at(0.5), at(0.99)],
        )
    }
}
