//! `latency`: every chunk arrives later, in order, without a limit on throughput.
//!
//! **Units:** `latency` and `jitter` in ms. The delay is `latency` plus a uniform draw from
//! `[-jitter, jitter)`, counted from the moment the chunk was received; the end of the stream is
//! not delayed, it follows the last chunk.

use super::kind::{Attributes, MS_MAX, Reach, Settings, Work, attribute, millis};
use super::{Inbox, Moment, Step};
use crate::{chance::below, json::Fields, refusal::Refusal};
use std::time::Duration;
use tokio::time::Instant;

/// Up to this much waits in front of it, since it delays without throttling; as much as the
/// 1,024 chunks of 32 KiB in a real Toxiproxy.
const DELAYED_BYTES_MAX: usize = 32 << 20;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Latency {
    latency_ms: i64,
    jitter_ms: i64,
}

impl Settings for Latency {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        // Half the range each, so that their sum is still a time.
        let range = (0, MS_MAX / 2);
        Ok(Self {
            latency_ms: attribute(fields, "latency", self.latency_ms, range)?,
            jitter_ms: attribute(fields, "jitter", self.jitter_ms, range)?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![
            ("latency", self.latency_ms.into()),
            ("jitter", self.jitter_ms.into()),
        ]
    }
}

impl Latency {
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

impl Work<Latency> for Active {
    const INBOX_BYTES_MAX: usize = DELAYED_BYTES_MAX;

    fn start(settings: Latency, _: Instant) -> Self {
        Self {
            settings,
            due: None,
            released: false,
        }
    }

    fn change(&mut self, settings: Latency, _: Instant) {
        self.settings = settings;
        self.released = self.due.is_some();
    }

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
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
