//! What one fault does to one link: one file per kind.
//!
//! **In:** chunks in an [`Inbox`], the present moment. **Out:** a [`Step`]: pass, wait, end, reset.
//!
//! A toxic is a state machine without sockets, tasks or clocks: its link asks it for one step at a
//! time and never while the next stage has no room. All data a toxic holds stays in its inbox, so
//! that removing the toxic loses nothing. Each file has the settings (what the API stores, zeros
//! where nothing was given) and the `Active` state (what one connection remembers).
//!
//! **Source:** semantics measured on Toxiproxy 2.12. Attributes that would crash it (a negative
//! rate, slices of zero bytes, sums that overflow) are refused when they are set.

mod active;
mod bandwidth;
mod inbox;
mod latency;
mod limit_data;
mod reset_peer;
mod slicer;
mod slow_close;
#[cfg(test)]
mod tests;
mod timeout;

pub(crate) use active::{Active, Removal};
pub(crate) use inbox::{Chunk, Inbox, Moment, Step};

use crate::{Stream, json::Fields, refusal::Refusal};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest time in milliseconds that Go's 64-bit nanoseconds can hold.
const MS_MAX: i64 = i64::MAX / 1_000_000;
/// The same in microseconds.
const US_MAX: i64 = i64::MAX / 1_000;

/// A toxic as the API stores it. Immutable: an update makes a new one with the same `id`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Toxic {
    pub(crate) attributes: Kind,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) type_name: &'static str,
    /// The stream as it was typed: `UPSTREAM` is echoed as `UPSTREAM`.
    #[serde(rename = "stream")]
    pub(crate) stream_text: String,
    #[serde(serialize_with = "shortest")]
    pub(crate) toxicity: f32,
    #[serde(skip)]
    pub(crate) stream: Stream,
    /// Grows with every toxic created in this process.
    #[serde(skip)]
    pub(crate) id: u64,
}

/// The settings of one toxic.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Noop,
    Latency(latency::Latency),
    Bandwidth(bandwidth::Bandwidth),
    SlowClose(slow_close::SlowClose),
    Timeout(timeout::Timeout),
    ResetPeer(reset_peer::ResetPeer),
    Slicer(slicer::Slicer),
    LimitData(limit_data::LimitData),
}

impl Kind {
    /// The toxic of that type with every attribute zero, and the name of the type.
    pub(crate) fn named(name: &str) -> Option<(Self, &'static str)> {
        Some(match name {
            "noop" => (Self::Noop, "noop"),
            "latency" => (Self::Latency(latency::Latency::default()), "latency"),
            "bandwidth" => (
                Self::Bandwidth(bandwidth::Bandwidth::default()),
                "bandwidth",
            ),
            "slow_close" => (
                Self::SlowClose(slow_close::SlowClose::default()),
                "slow_close",
            ),
            "timeout" => (Self::Timeout(timeout::Timeout::default()), "timeout"),
            "reset_peer" => (
                Self::ResetPeer(reset_peer::ResetPeer::default()),
                "reset_peer",
            ),
            "slicer" => (Self::Slicer(slicer::Slicer::default()), "slicer"),
            "limit_data" => (
                Self::LimitData(limit_data::LimitData::default()),
                "limit_data",
            ),
            _ => return None,
        })
    }

    /// These settings with the given attributes in place of the old ones.
    pub(crate) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(match self {
            Self::Noop => Self::Noop,
            Self::Latency(settings) => Self::Latency(settings.merged(fields)?),
            Self::Bandwidth(settings) => Self::Bandwidth(settings.merged(fields)?),
            Self::SlowClose(settings) => Self::SlowClose(settings.merged(fields)?),
            Self::Timeout(settings) => Self::Timeout(settings.merged(fields)?),
            Self::ResetPeer(settings) => Self::ResetPeer(settings.merged(fields)?),
            Self::Slicer(settings) => Self::Slicer(settings.merged(fields)?),
            Self::LimitData(settings) => Self::LimitData(settings.merged(fields)?),
        })
    }

    fn attributes(&self) -> Vec<(&'static str, i64)> {
        match self {
            Self::Noop => Vec::new(),
            Self::Latency(settings) => settings.attributes(),
            Self::Bandwidth(settings) => settings.attributes(),
            Self::SlowClose(settings) => settings.attributes(),
            Self::Timeout(settings) => settings.attributes(),
            Self::ResetPeer(settings) => settings.attributes(),
            Self::Slicer(settings) => settings.attributes(),
            Self::LimitData(settings) => settings.attributes(),
        }
    }
}

impl Serialize for Kind {
    /// The attributes alone, as in a toxic's `"attributes"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attributes = self.attributes().into_iter();
        let object: Map<String, Value> = attributes
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        object.serialize(serializer)
    }
}

/// Writes `1` rather than `1.0`, as Go does: some clients read whole toxicities as integers.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn shortest<S: Serializer>(toxicity: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
    let whole = *toxicity as i32;
    #[expect(clippy::float_cmp, reason = "equal only if nothing was cut off")]
    if whole as f32 == *toxicity {
        serializer.serialize_i32(whole)
    } else {
        serializer.serialize_f32(*toxicity)
    }
}

/// Reads one attribute that must lie in `min..=max`; what is absent keeps its value.
fn attribute(
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

/// A checked attribute in milliseconds as a duration.
fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}
