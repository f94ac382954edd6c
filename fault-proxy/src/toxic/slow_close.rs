//! `slow_close`: the end of the stream is passed on later; data is not touched.
//!
//! **Units:** `delay` in ms, counted from the end of the stream, and anew after an update.

use super::kind::{Attributes, MS_MAX, Reach, Settings, Work, attribute, millis};
use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlowClose {
    delay_ms: i64,
}

impl Settings for SlowClose {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            delay_ms: attribute(fields, "delay", self.delay_ms, (0, MS_MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("delay", self.delay_ms.into())]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: SlowClose,
    ended_at: Option<Instant>,
}

impl Work<SlowClose> for Active {
    fn start(settings: SlowClose, _: Instant) -> Self {
        Self {
            settings,
            ended_at: None,
        }
    }

    fn change(&mut self, settings: SlowClose, _: Instant) {
        self.settings = settings;
        self.ended_at = None;
    }

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        let now = moment.now;
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
