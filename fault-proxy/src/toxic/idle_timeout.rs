//! `idle_timeout`: a connection on which nothing moves is closed, as middleboxes do.
//!
//! **Units:** `timeout` in ms without a byte from either peer; 0 never closes. The time starts when
//! the toxic meets the connection and again with every byte, in whichever direction. Both sides are
//! closed cleanly (a FIN, no reset), which is what nginx's `proxy_read_timeout` looks like.
//!
//! An extension: Toxiproxy's `timeout` drops data, and never closes a peer that keeps sending.

use super::kind::{Attributes, MS_MAX, Passing, Reach, Settings, attribute, millis};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdleTimeout {
    timeout_ms: i64,
}

impl Settings for IdleTimeout {
    type Active = Passing;
    const REACH: Reach = Reach::Connection;
    const IS_EXTENSION: bool = true;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            timeout_ms: attribute(fields, "timeout", self.timeout_ms, (0, MS_MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("timeout", self.timeout_ms.into())]
    }

    fn closes_at(self, since: Instant, last_byte: Instant) -> Option<Instant> {
        (self.timeout_ms > 0).then(|| since.max(last_byte) + millis(self.timeout_ms))
    }
}
