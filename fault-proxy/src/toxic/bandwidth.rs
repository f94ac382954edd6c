//! `bandwidth`: at most so many bytes per second, for each connection and direction.
//!
//! **Units:** `rate` in KB/s, 1 KB = 1000 bytes, so `rate` is also bytes per ms. A chunk leaves
//! when its last byte would have; one longer than 100 ms' worth leaves in pieces of that size. What
//! a timer oversleeps is taken off the next wait, so that the rate holds on average. `rate` 0 lets
//! nothing through until it is changed or the toxic removed.
//!
//! With `shared`, an extension that is shown only where it is on, all connections of the proxy have the
//! rate together: their pieces, of 10 ms then, go in turn.

use super::kind::{Attributes, Reach, Settings, Work, attribute};
use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use std::time::Duration;
use tokio::time::Instant;

/// How much of a long chunk leaves at once, as a time.
const PIECE_MS: u64 = 100;
/// The same where connections wait for each other.
const SHARED_PIECE_MS: u64 = 10;
/// More KB/s than any machine moves; the product with [`PIECE_MS`] stays in range.
const RATE_MAX: i64 = i64::MAX / 1_000_000;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bandwidth {
    rate_kb: i64,
    shared: bool,
}

impl Settings for Bandwidth {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            rate_kb: attribute(fields, "rate", self.rate_kb, (0, RATE_MAX))?,
            shared: fields.truth("shared")?.unwrap_or(self.shared),
        })
    }

    fn attributes(self) -> Attributes {
        let mut attributes = vec![("rate", self.rate_kb.into())];
        if self.shared {
            attributes.push(("shared", true.into()));
        }
        attributes
    }
}

impl Bandwidth {
    fn bytes_per_ms(self) -> u64 {
        u64::try_from(self.rate_kb).unwrap_or(0)
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: Bandwidth,
    /// When the piece at the front of the inbox may leave.
    due: Option<Instant>,
    overslept: Duration,
    released: bool,
}

impl Work<Bandwidth> for Active {
    fn start(settings: Bandwidth, _: Instant) -> Self {
        Self {
            settings,
            due: None,
            overslept: Duration::ZERO,
            released: false,
        }
    }

    /// The chunk an update interrupts goes at once.
    fn change(&mut self, settings: Bandwidth, _: Instant) {
        self.released = self.due.is_some();
        self.settings = settings;
        self.overslept = Duration::ZERO;
    }

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        let now = moment.now;
        let Some(front) = inbox.front() else {
            return inbox.nothing();
        };
        if self.released {
            self.released = false;
            self.due = None;
            return inbox.pass();
        }
        let per_ms = self.settings.bytes_per_ms();
        if per_ms == 0 {
            // Remembered, so that a later rate finds a chunk that was being held.
            self.due.get_or_insert(now);
            return Step::Idle;
        }
        let shared = self.settings.shared;
        let piece_ms = if shared { SHARED_PIECE_MS } else { PIECE_MS };
        let piece_max = usize::try_from(per_ms * piece_ms).unwrap_or(usize::MAX);
        let piece = front.bytes.len().min(piece_max);
        let due = match self.due {
            Some(due) => due,
            None if shared => moment.line.take(now, transfer_time(piece, per_ms)),
            None => now - self.overslept + transfer_time(piece, per_ms),
        };
        if now < due {
            self.due = Some(due);
            return Step::Wait(due);
        }
        self.due = None;
        self.overslept = now - due;
        match inbox.take(piece) {
            Some(chunk) => Step::Pass(chunk),
            None => inbox.nothing(),
        }
    }
}

fn transfer_time(bytes: usize, per_ms: u64) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    Duration::from_nanos(bytes.saturating_mul(1_000_000) / per_ms)
}
