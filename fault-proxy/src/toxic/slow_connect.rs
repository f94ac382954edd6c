//! `slow_connect`: a client is accepted at once and carried on to the upstream only later.
//!
//! **Units:** `delay` in ms from the accept. The client's connect succeeds and its first bytes wait;
//! the upstream hears of the connection after the delay. Connections that are open already are left
//! alone. Removal lets those that wait go on at once.
//!
//! An extension, for what a full accept queue or a slow handshake looks like to a client.

use super::kind::{Attributes, MS_MAX, Opening, Passing, Reach, Settings, attribute, millis};
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlowConnect {
    delay_ms: i64,
}

impl Settings for SlowConnect {
    type Active = Passing;
    const REACH: Reach = Reach::Opening;
    const IS_EXTENSION: bool = true;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            delay_ms: attribute(fields, "delay", self.delay_ms, (0, MS_MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("delay", self.delay_ms.into())]
    }

    fn opening(self) -> Option<Opening> {
        Some(Opening::After(millis(self.delay_ms)))
    }
}
