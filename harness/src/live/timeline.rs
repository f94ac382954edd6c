//! This module remembers a run over its planned time, in as many slots as a picture of it has columns.
//!
//! **In:** what is seen at each look. **Out:** slots, and columns of them for a lane of any width.
//!
//! **Units:** counts of what arrived within a slot; microseconds.

use super::now::{Now, Totals};
use super::view::LOOK_EVERY_US;
use crate::record::histogram::SparseHistogram;

/// Slots of a run; no lane has more columns.
pub(super) const SLOTS: usize = 240;

/// A part of the run, as it was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// `complete`, by arrival.
    pub answers: SparseHistogram,
    /// Something was sent and not answered.
    pub waited: bool,
    /// Time that its looks stand for; 0: a short run has more slots than looks.
    pub span_us: u64,
    pub sent: u64,
    pub completed: u64,
    pub failed: u64,
    /// As they were at its last look.
    pub open: u64,
    pub waiting: u64,
}

/// What a column of a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Nothing was answered and nothing was waited for.
    Quiet,
    Answered {
        p99_us: u64,
    },
    /// Nothing was answered, although something was waited for.
    Silent,
}

/// The run so far.
#[derive(Debug)]
pub(super) struct Timeline {
    total_us: u64,
    slots: Vec<Slot>,
    last_us: u64,
    last: Totals,
}

/// The column of a moment in a lane of so many.
pub(super) fn column(at_us: u64, total_us: u64, lane: usize) -> usize {
    let place = u128::from(at_us) * lane as u128 / u128::from(total_us.max(1));
    usize::try_from(place).unwrap_or(lane).min(lane.max(1) - 1)
}

impl Timeline {
    pub(super) fn new(total_us: u64) -> Self {
        Self {
            total_us,
            slots: Vec::new(),
            last_us: 0,
            last: Totals::default(),
        }
    }

    /// Adds what arrived since the last look to the slot of now.
    pub(super) fn add(&mut self, now: &Now) {
        let place = column(now.at_us, self.total_us, SLOTS);
        while self.slots.len() <= place {
            self.slots.push(Slot::default());
        }
        let before = std::mem::replace(&mut self.last, now.totals);
        let before_us = std::mem::replace(&mut self.last_us, now.at_us);
        let slot = &mut self.slots[place];
        slot.span_us += now.at_us.saturating_sub(before_us);
        slot.answers.merge(&now.latest);
        slot.waited |= now.oldest_us.is_some_and(|us| us >= LOOK_EVERY_US);
        slot.sent += now.totals.sent.saturating_sub(before.sent);
        slot.completed += now.totals.completed.saturating_sub(before.completed);
        slot.failed += now.totals.failed().saturating_sub(before.failed());
        slot.open = now.open;
        slot.waiting = now.waiting;
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The run so far as columns of a lane of `lane`; where nobody looked it is as before.
    pub(super) fn columns(&self, lane: usize) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        let mut slots = self.slots.iter().enumerate().peekable();
        while let Some((first, slot)) = slots.next() {
            let column = first * lane / SLOTS;
            let (mut answers, mut waited, mut span_us) =
                (slot.answers.clone(), slot.waited, slot.span_us);
            while let Some((_, slot)) = slots.next_if(|(place, _)| place * lane / SLOTS == column) {
                answers.merge(&slot.answers);
                waited |= slot.waited;
                span_us += slot.span_us;
            }
            columns.push(match columns.last() {
                Some(before) if span_us == 0 => *before,
                _ if !answers.is_empty() => Column::Answered {
                    p99_us: answers.value_at(0.99),
                },
                _ if waited => Column::Silent,
                _ => Column::Quiet,
            });
        }
        columns
    }
}
