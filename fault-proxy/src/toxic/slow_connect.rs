//! `slow_connect`: a client is accepted at once and carried on to the upstream only later.
//!
//! **Units:** `delay` in ms from the accept. The client's connect succeeds and its first bytes wait;
//! the upstream hears of the connection after the delay. Connections that are open already are left
//! alone. Removal lets those that wait go on at once.
//!
//! An extension, for what a full accept queue or a slow handshake looks like to a client.

use super::{MS_MAX, attribute, millis};
use crate::{json::Fields, refusal::Refusal};
use std::time::Duration;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlowConnect {
    delay_ms: i64,
}

impl SlowConnect {
    pub(super) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            delay_ms: attribute(fields, "delay", self.delay_ms, (0, MS_MAX))?,
        })
    }

    pub(super) fn attributes(self) -> Vec<(&'static str, i64)> {
        vec![("delay", self.delay_ms)]
    }

    pub(super) fn delay(self) -> Duration {
        millis(self.delay_ms)
    }
}
