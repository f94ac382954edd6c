//! `limit_data`: the connection is closed after exactly so many bytes.
//!
//! **Units:** `bytes` per connection and direction. 0 closes at the first data. The count outlives
//! updates of the toxic.

use super::kind::{Attributes, Reach, Settings, Work, attribute};
use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LimitData {
    bytes: i64,
}

impl Settings for LimitData {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            bytes: attribute(fields, "bytes", self.bytes, (0, i64::MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("bytes", self.bytes.into())]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: LimitData,
    passed_bytes: usize,
    reached: bool,
}

impl Work<LimitData> for Active {
    fn start(settings: LimitData, _: Instant) -> Self {
        Self {
            settings,
            passed_bytes: 0,
            reached: false,
        }
    }

    fn change(&mut self, settings: LimitData, _: Instant) {
        self.settings = settings;
    }

    fn step(&mut self, inbox: &mut Inbox, _: Moment<'_>) -> Step {
        if self.reached {
            return Step::End;
        }
        let limit = usize::try_from(self.settings.bytes).unwrap_or(usize::MAX);
        let allowed = limit.saturating_sub(self.passed_bytes);
        if allowed == 0 && inbox.front().is_some() {
            return Step::End;
        }
        let Some(chunk) = inbox.take(allowed) else {
            return inbox.nothing();
        };
        self.passed_bytes += chunk.bytes.len();
        self.reached = self.passed_bytes >= limit;
        Step::Pass(chunk)
    }
}
