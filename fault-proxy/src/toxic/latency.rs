//! `latency`: every chunk arrives later, in order, without a limit on throughput.
//!
//! **Units:** `latency` and `jitter` in ms. The delay is `latency` plus a uniform draw from
//! `[-jitter, jitter)`, counted from the moment the chunk was received; the end of the stream is
//! not delayed, it follows the last chunk.

use super::{Inbox, MS_MAX, Moment, Step, attribute, millis};
use crate::{chance::below, json::Fields, refusal::Refusal};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Latency {
    latency_ms: i64,
    jitter_ms: i64,
}

impl Latency {
    pub(super) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        // Half the range each, so that their sum is still a time.
        let range = (0, MS_MAX / 2);
        Ok(Self {
            latency_ms: attribute(fields, "latency", self.latency_ms, range)?,
            jitter_ms: attribute(fields, "jitter", self.jitter_ms, range)?,
        })
    }

    pub(super) fn attributes(self) -> Vec<(&'static str, i64)> {
        vec![("latency", self.latency_ms), ("jitter", self.jitter_ms)]
    }

    fn draw(self, moment: Moment<'_>) -> Duration {
        let (delay, jitter) = (millis(self.latency_ms), millis(self.jitter_ms));
        let Ok(jitter_ns) = u64::try_from(jitter.as_nanos()) else {
            return delay;
        };
        let drawn = Duration::from_nanos(below(moment.chance, jitter_ns.saturating_mul(2)));
        (delay + drawn).saturating_sub(jitter)
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: Latency,
    /// When the first chunk of the inbox is due, once that has been drawn.
    due: Option<Instant>,
    /// An update lets the chunk it interrupted go at once.
    released: bool,
}

impl Active {
    pub(super) fn start(settings: Latency) -> Self {
        Self {
            settings,
            due: None,
            released: false,
        }
    }

    pub(super) fn change(&mut self, settings: Latency) {
        self.settings = settings;
        self.released = self.due.is_some();
    }

    pub(super) fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        let Some(front) = inbox.front() else {
            return inbox.nothing();
        };
        let now = moment.now;
        let due = match self.due {
            Some(due) => due,
            None => front.at + self.settings.draw(moment),
        };
        if now < due && !self.released {
            self.due = Some(due);
            return Step::Wait(due);
        }
        self.due = None;
        self.released = false;
        match inbox.pop() {
            Some(mut chunk) => {
                chunk.at = due.min(now);
                Step::Pass(chunk)
            }
            None => inbox.nothing(),
        }
    }
}
