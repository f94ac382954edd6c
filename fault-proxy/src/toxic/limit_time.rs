//! `limit_time`: a connection is closed when its time is up, however busy it is.
//!
//! **Units:** `time` in ms since the toxic met the connection: its beginning, or the toxic's for one
//! that was open already; 0 never closes. Both sides are closed cleanly, and what was still held in
//! the proxy is dropped.
//!
//! An extension: Toxiproxy has a limit on data only.

use super::kind::{Attributes, MS_MAX, Passing, Reach, Settings, attribute, millis};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LimitTime {
    time_ms: i64,
}

impl Settings for LimitTime {
    type Active = Passing;
    const REACH: Reach = Reach::Connection;
    const IS_EXTENSION: bool = true;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            time_ms: attribute(fields, "time", self.time_ms, (0, MS_MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("time", self.time_ms.into())]
    }

    fn closes_at(self, since: Instant, _: Instant) -> Option<Instant> {
        (self.time_ms > 0).then(|| since + millis(self.time_ms))
    }
}
