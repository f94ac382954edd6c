//! What a kind of toxic has to say: its settings, and its work on one stream.

use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use serde_json::Value;
use std::{fmt::Debug, time::Duration};
use tokio::time::Instant;

/// The longest time in milliseconds that Go's 64-bit nanoseconds can hold.
pub(super) const MS_MAX: i64 = i64::MAX / 1_000_000;
/// The same in microseconds.
pub(super) const US_MAX: i64 = i64::MAX / 1_000;

/// Names and values, as the API shows them.
pub(super) type Attributes = Vec<(&'static str, Value)>;

/// What of a connection a toxic acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The bytes of its own direction.
    Stream,
    /// The bytes of both directions.
    Both,
    /// The open connection, from outside its streams.
    Connection,
    /// The time between the accept and the upstream.
    Opening,
}

/// What an [`Reach::Opening`] toxic does to a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Carries it on this long after the accept.
    After(Duration),
    /// Carries it on only when the toxic is gone.
    Never,
    /// Resets it, if the toxic's count is not used up.
    Refused,
}

/// What taking a toxic away does to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// What it held goes on at once.
    Flush,
    /// It swallowed data, so the stream cannot go on: close.
    Close,
    /// The same, by a reset.
    Reset,
}

/// The settings of a kind, as the API stores them: zeros where nothing was given.
pub(crate) trait Settings: Copy + Default {
    /// Its work on a stream; [`Passing`] for a kind that acts elsewhere.
    type Active: Work<Self>;
    const REACH: Reach;
    /// Toxiproxy does not have it.
    const IS_EXTENSION: bool = false;

    /// These settings with the given attributes in place of the old ones.
    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal>;

    fn attributes(self) -> Attributes;

    /// When a connection that was met at `since` and had its last byte at `last_byte` is closed.
    fn closes_at(self, _since: Instant, _last_byte: Instant) -> Option<Instant> {
        None
    }

    /// What becomes of a new connection.
    fn opening(self) -> Option<Opening> {
        None
    }
}

/// A toxic at work on one stream: what it remembers of the connection.
pub(crate) trait Work<Settings>: Debug {
    /// The inbox takes more as long as it holds less than this: one chunk at a time, so that the sender feels a
    /// throttle at once.
    const INBOX_BYTES_MAX: usize = 1;

    fn start(settings: Settings, now: Instant) -> Self;

    /// New settings for a toxic that goes on.
    fn change(&mut self, settings: Settings, now: Instant);

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step;

    fn removal(&self) -> Removal {
        Removal::Flush
    }
}

/// The work of a toxic that leaves the bytes alone, or spares the connection.
#[derive(Debug)]
pub(crate) struct Passing;

impl<Settings> Work<Settings> for Passing {
    fn start(_: Settings, _: Instant) -> Self {
        Self
    }

    fn change(&mut self, _: Settings, _: Instant) {}

    fn step(&mut self, inbox: &mut Inbox, _: Moment<'_>) -> Step {
        inbox.pass()
    }
}

/// Reads one attribute that must lie in `min..=max`; what is absent keeps its value.
pub(super) fn attribute(
    fields: Fields<'_>,
    name: &str,
    present: i64,
    (min, max): (i64, i64),
) -> Result<i64, Refusal> {
    let Some(value) = fields.whole(name)? else {
        return Ok(present);
    };
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(Refusal::InvalidAttribute(format!(
        "{name} must be between {min} and {max}, found {value}"
    )))
}

/// Reads one attribute that is a share; what is absent keeps its value.
pub(super) fn share(fields: Fields<'_>, name: &str, present: f64) -> Result<f64, Refusal> {
    match fields.double(name)? {
        None => Ok(present),
        Some(value) if (0.0..=1.0).contains(&value) => Ok(value),
        Some(value) => Err(Refusal::InvalidAttribute(format!(
            "{name} must be between 0 and 1, found {value}"
        ))),
    }
}

/// A share as Go writes it: `1` rather than `1.0`.
pub(super) fn share_shown(share: f64) -> Value {
    if share <= 0.0 {
        Value::from(0)
    } else if share >= 1.0 {
        Value::from(1)
    } else {
        Value::from(share)
    }
}

/// A checked attribute in milliseconds as a duration.
pub(super) fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}
