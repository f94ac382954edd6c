//! `timeout`: nothing gets through, and after a silence the connection is closed.
//!
//! **Units:** `timeout` in ms; 0 never closes. The time starts when the toxic meets the connection
//! and again with every chunk it drops, so a chatty peer is never closed: a real Toxiproxy does
//! the same, and tests in the field count on it. The end of the stream is not dropped: it closes the
//! connection at once. Taking the toxic away closes the connections it affected, since their streams have holes.

use super::kind::{Attributes, MS_MAX, Reach, Removal, Settings, Work, attribute, millis};
use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timeout {
    timeout_ms: i64,
}

impl Settings for Timeout {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            timeout_ms: attribute(fields, "timeout", self.timeout_ms, (0, MS_MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("timeout", self.timeout_ms.into())]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: Timeout,
    silent_since: Instant,
}

impl Work<Timeout> for Active {
    fn start(settings: Timeout, now: Instant) -> Self {
        Self {
            settings,
            silent_since: now,
        }
    }

    fn change(&mut self, settings: Timeout, now: Instant) {
        self.settings = settings;
        self.silent_since = now;
    }

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        let now = moment.now;
        if inbox.clear() {
            self.silent_since = now;
        }
        if inbox.is_ended() {
            return Step::End;
        }
        if self.settings.timeout_ms == 0 {
            return Step::Idle;
        }
        let due = self.silent_since + millis(self.settings.timeout_ms);
        if now < due {
            Step::Wait(due)
        } else {
            Step::End
        }
    }

    fn removal(&self) -> Removal {
        Removal::Close
    }
}
