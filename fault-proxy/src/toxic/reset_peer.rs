//! `reset_peer`: the connection is reset some time after its first data.
//!
//! **Units:** `timeout` in ms, counted from the first chunk, or the end, in this direction. What
//! arrives is dropped, and both sockets are closed with a TCP reset. An idle connection is never
//! reset. Unlike a real Toxiproxy's, the wait does not block the API, a connection that was already
//! open is reset too (not closed cleanly), and one that the toxic spares or that ends otherwise is
//! closed cleanly.

use super::kind::{Attributes, MS_MAX, Reach, Removal, Settings, Work, attribute, millis};
use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ResetPeer {
    timeout_ms: i64,
}

impl Settings for ResetPeer {
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
    settings: ResetPeer,
    armed_at: Option<Instant>,
}

impl Work<ResetPeer> for Active {
    fn start(settings: ResetPeer, _: Instant) -> Self {
        Self {
            settings,
            armed_at: None,
        }
    }

    fn change(&mut self, settings: ResetPeer, _: Instant) {
        self.settings = settings;
    }

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        let now = moment.now;
        if inbox.clear() || inbox.is_ended() {
            self.armed_at.get_or_insert(now);
        }
        let Some(armed_at) = self.armed_at else {
            return Step::Idle;
        };
        let due = armed_at + millis(self.settings.timeout_ms);
        if now < due {
            Step::Wait(due)
        } else {
            Step::Reset
        }
    }

    fn removal(&self) -> Removal {
        // Data has been dropped: there is no way back to a whole stream.
        match self.armed_at {
            Some(_) => Removal::Reset,
            None => Removal::Flush,
        }
    }
}
