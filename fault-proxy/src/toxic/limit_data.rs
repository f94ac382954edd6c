//! `limit_data`: the connection is closed after exactly so many bytes.
//!
//! **Units:** `bytes` per connection and direction. 0 closes at the first data. The count outlives
//! updates of the toxic.

use super::{Inbox, Step, attribute};
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LimitData {
    bytes: i64,
}

impl LimitData {
    pub(super) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            bytes: attribute(fields, "bytes", self.bytes, (0, i64::MAX))?,
        })
    }

    pub(super) fn attributes(self) -> Vec<(&'static str, i64)> {
        vec![("bytes", self.bytes)]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: LimitData,
    passed_bytes: usize,
    reached: bool,
}

impl Active {
    pub(super) fn start(settings: LimitData) -> Self {
        Self {
            settings,
            passed_bytes: 0,
            reached: false,
        }
    }

    pub(super) fn change(&mut self, settings: LimitData) {
        self.settings = settings;
    }

    pub(super) fn step(&mut self, inbox: &mut Inbox) -> Step {
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
