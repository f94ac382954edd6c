//! `slicer`: data arrives in small pieces, some time apart.
//!
//! **Units:** `average_size` and `size_variation` in bytes, `delay` in µs after each piece. A chunk
//! is halved, off-centre by up to the variation, until no piece is longer than average plus
//! variation. Without a delay the kernel may put pieces together again. Delays follow a schedule:
//! what a timer oversleeps (its grain is a millisecond) is made up for by the next piece.

use super::kind::{Reach, Settings, US_MAX, Work, attribute};
use super::{Inbox, Moment, Step};
use crate::{chance::below, json::Fields, refusal::Refusal};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The most that is made up for: an overslept timer, not a peer that did not read.
const CATCH_UP: Duration = Duration::from_millis(3);

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slicer {
    average_bytes: i64,
    variation_bytes: i64,
    delay_us: i64,
}

impl Settings for Slicer {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        let size = (0, i64::MAX / 4);
        let merged = Self {
            average_bytes: attribute(fields, "average_size", self.average_bytes, size)?,
            variation_bytes: attribute(fields, "size_variation", self.variation_bytes, size)?,
            delay_us: attribute(fields, "delay", self.delay_us, (0, US_MAX))?,
        };
        if merged.average_bytes == 0 {
            return Err(Refusal::InvalidAttribute(
                "average_size must be at least 1".to_owned(),
            ));
        }
        if merged.variation_bytes > merged.average_bytes {
            return Err(Refusal::InvalidAttribute(format!(
                "size_variation must be at most average_size ({}), found {}",
                merged.average_bytes, merged.variation_bytes
            )));
        }
        Ok(merged)
    }

    fn attributes(self) -> Vec<(&'static str, i64)> {
        vec![
            ("average_size", self.average_bytes),
            ("size_variation", self.variation_bytes),
            ("delay", self.delay_us),
        ]
    }
}

impl Slicer {
    /// Lengths of the pieces of a chunk of `length` bytes, in order.
    fn cut(self, length: usize, moment: &mut Moment<'_>) -> VecDeque<usize> {
        let variation = usize::try_from(self.variation_bytes).unwrap_or(usize::MAX);
        let average = usize::try_from(self.average_bytes).unwrap_or(usize::MAX);
        let piece_max = average.saturating_add(variation).max(1);
        let mut pieces = VecDeque::new();
        let mut uncut = vec![length];
        while let Some(length) = uncut.pop() {
            if length <= piece_max {
                pieces.push_back(length);
                continue;
            }
            let spread = u64::try_from(variation)
                .unwrap_or(u64::MAX)
                .saturating_mul(2);
            let drawn = usize::try_from(below(moment.chance, spread)).unwrap_or(0);
            let left = (length / 2 + drawn)
                .saturating_sub(variation)
                .clamp(1, length - 1);
            uncut.push(length - left);
            uncut.push(left);
        }
        pieces
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: Slicer,
    /// What is left of the plan for the first chunk of the inbox.
    pieces: VecDeque<usize>,
    not_before: Option<Instant>,
}

impl Work<Slicer> for Active {
    fn start(settings: Slicer, _: Instant) -> Self {
        Self {
            settings,
            pieces: VecDeque::new(),
            not_before: None,
        }
    }

    /// The rest of a chunk that was being sliced goes in one piece.
    fn change(&mut self, settings: Slicer, _: Instant) {
        self.settings = settings;
        self.not_before = None;
        if !self.pieces.is_empty() {
            self.pieces = VecDeque::from([usize::MAX]);
        }
    }

    fn step(&mut self, inbox: &mut Inbox, mut moment: Moment<'_>) -> Step {
        let now = moment.now;
        if let Some(due) = self.not_before.filter(|due| now < *due) {
            return Step::Wait(due);
        }
        let Some(front) = inbox.front() else {
            self.not_before = None;
            return inbox.nothing();
        };
        if self.pieces.is_empty() {
            self.pieces = self.settings.cut(front.bytes.len(), &mut moment);
        }
        let piece = self.pieces.pop_front().unwrap_or(usize::MAX);
        let delay = Duration::from_micros(u64::try_from(self.settings.delay_us).unwrap_or(0));
        let slot = self.not_before.map_or(now, |due| due.max(now - CATCH_UP));
        self.not_before = (!delay.is_zero()).then(|| slot + delay);
        match inbox.take(piece) {
            Some(chunk) => Step::Pass(chunk),
            None => inbox.nothing(),
        }
    }
}
