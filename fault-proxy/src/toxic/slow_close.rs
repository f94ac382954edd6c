//! `slow_close`: the end of the stream is passed on later; data is not touched.
//!
//! **Units:** `delay` in ms, counted from the end of the stream, and anew after an update.

use super::{Inbox, MS_MAX, Step, attribute, millis};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlowClose {
    delay_ms: i64,
}

impl SlowClose {
    pub(super) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            delay_ms: attribute(fields, "delay", self.delay_ms, (0, MS_MAX))?,
        })
    }

    pub(super) fn attributes(self) -> Vec<(&'static str, i64)> {
        vec![("delay", self.delay_ms)]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: SlowClose,
    ended_at: Option<Instant>,
}

impl Active {
    pub(super) fn start(settings: SlowClose) -> Self {
        Self {
            settings,
            ended_at: None,
        }
    }

    pub(super) fn change(&mut self, settings: SlowClose) {
        self.settings = settings;
        self.ended_at = None;
    }

    pub(super) fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        if !inbox.is_over() {
            return inbox.pass();
        }
        let due = *self.ended_at.get_or_insert(now) + millis(self.settings.delay_ms);
        if now < due {
            Step::Wait(due)
        } else {
            Step::End
        }
    }
}
