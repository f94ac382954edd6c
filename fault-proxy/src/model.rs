//! The things the API talks about: proxies, toxics, directions.
//!
//! **In:** what a caller wants ([`ProxySpec`], [`ToxicSpec`]). **Out:** what a server says it has
//! ([`ProxyView`], [`ToxicView`]); and what only a server with extensions says ([`Extensions`],
//! [`Statistics`]).
//!
//! **Units:** attribute values are in the unit of Toxiproxy's attribute of that name: `latency`,
//! `jitter`, `timeout` and `slow_close`'s `delay` in milliseconds, `rate` in KB/s (1 KB = 1000
//! bytes), `bytes`, `average_size` and `size_variation` in bytes, `slicer`'s `delay` in µs. Those of
//! the extensions are in milliseconds: `idle_timeout`'s `timeout`, `limit_time`'s `time`,
//! `slow_connect`'s `delay`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// One direction through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// From the client to the server behind the proxy.
    Upstream,
    /// From the server behind the proxy to the client.
    Downstream,
}

impl Stream {
    /// The direction's name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A direction that is neither `upstream` nor `downstream`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream must be `upstream` or `downstream`, found `{0}`")]
pub struct UnknownStream(pub String);

impl FromStr for Stream {
    type Err = UnknownStream;

    /// Upper and lower case are the same, as in Toxiproxy.
    fn from_str(text: &str) -> Result<Self, UnknownStream> {
        [Self::Upstream, Self::Downstream]
            .into_iter()
            .find(|stream| text.eq_ignore_ascii_case(stream.name()))
            .ok_or_else(|| UnknownStream(text.to_owned()))
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A proxy to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxySpec {
    pub name: String,
    /// `host:port`; port 0 asks for a free one, which the answer then names.
    pub listen: String,
    /// `host:port`, resolved anew for every connection.
    pub upstream: String,
    pub enabled: bool,
}

/// A proxy as a server describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProxyView {
    pub name: String,
    /// The address that is really bound, while the proxy is enabled.
    pub listen: String,
    pub upstream: String,
    pub enabled: bool,
    /// Upstream toxics first, each direction in the order of creation.
    #[serde(default, deserialize_with = "null_is_default")]
    pub toxics: Vec<ToxicView>,
}

impl ProxyView {
    /// The toxic of that name, if the proxy has it.
    pub fn toxic(&self, name: &str) -> Option<&ToxicView> {
        self.toxics.iter().find(|toxic| toxic.name == name)
    }
}

/// A toxic as a server describes it. The kind is text, so that a kind this crate does not know
/// can be listed, updated and removed like any other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToxicView {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub stream: Stream,
    /// Share of the connections that are affected, 0..=1.
    pub toxicity: f32,
    #[serde(default, deserialize_with = "null_is_default")]
    pub attributes: Map<String, Value>,
}

/// A toxic to be added, or the new state of one that exists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToxicSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub stream: Stream,
    /// Share of the connections that are affected, 0..=1.
    pub toxicity: f32,
    pub attributes: Map<String, Value>,
}

impl ToxicSpec {
    /// A toxic of any kind, known to this crate or not, without attributes yet.
    pub fn new(name: impl Into<String>, kind: impl Into<String>, stream: Stream) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            stream,
            toxicity: 1.0,
            attributes: Map::new(),
        }
    }

    /// Sets one attribute.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(attribute.to_owned(), value.into());
        self
    }

    /// Affects only this share of the connections, 0..=1.
    #[must_use]
    pub fn with_toxicity(mut self, ratio: f32) -> Self {
        self.toxicity = ratio;
        self
    }

    /// Delays every chunk by `latency_ms`, give or take up to `jitter_ms`.
    pub fn latency(name: &str, stream: Stream, latency_ms: u64, jitter_ms: u64) -> Self {
        Self::new(name, "latency", stream)
            .with("latency", latency_ms)
            .with("jitter", jitter_ms)
    }

    /// Drops all data and closes after `timeout_ms` of silence; 0 never closes.
    pub fn timeout(name: &str, stream: Stream, timeout_ms: u64) -> Self {
        Self::new(name, "timeout", stream).with("timeout", timeout_ms)
    }

    /// Resets the connection `timeout_ms` after its first data.
    pub fn reset_peer(name: &str, stream: Stream, timeout_ms: u64) -> Self {
        Self::new(name, "reset_peer", stream).with("timeout", timeout_ms)
    }

    /// Lets through at most `rate_kb` KB/s (1 KB = 1000 bytes) per connection; 0 stalls.
    pub fn bandwidth(name: &str, stream: Stream, rate_kb: u64) -> Self {
        Self::new(name, "bandwidth", stream).with("rate", rate_kb)
    }

    /// Passes the end of the stream on only after `delay_ms`.
    pub fn slow_close(name: &str, stream: Stream, delay_ms: u64) -> Self {
        Self::new(name, "slow_close", stream).with("delay", delay_ms)
    }

    /// Closes the connection after exactly `bytes` bytes.
    pub fn limit_data(name: &str, stream: Stream, bytes: u64) -> Self {
        Self::new(name, "limit_data", stream).with("bytes", bytes)
    }

    /// Cuts the data into pieces of about `average_bytes`, `delay_us` apart.
    pub fn slicer(name: &str, stream: Stream, average_bytes: u64, delay_us: u64) -> Self {
        Self::new(name, "slicer", stream)
            .with("average_size", average_bytes)
            .with("size_variation", 0)
            .with("delay", delay_us)
    }
}

/// The toxics that only this crate's server has. They act on whole connections, whatever direction
/// they are created on.
impl ToxicSpec {
    /// Closes a connection after `timeout_ms` without a byte in either direction; 0 never does.
    pub fn idle_timeout(name: &str, timeout_ms: u64) -> Self {
        Self::new(name, "idle_timeout", Stream::Downstream).with("timeout", timeout_ms)
    }

    /// Closes a connection `time_ms` after the toxic met it, busy or not; 0 never does.
    pub fn limit_time(name: &str, time_ms: u64) -> Self {
        Self::new(name, "limit_time", Stream::Downstream).with("time", time_ms)
    }

    /// Drops everything in both directions and keeps the sockets.
    pub fn blackhole(name: &str) -> Self {
        Self::new(name, "blackhole", Stream::Downstream)
    }

    /// Connects a client to the upstream only `delay_ms` after it was accepted.
    pub fn slow_connect(name: &str, delay_ms: u64) -> Self {
        Self::new(name, "slow_connect", Stream::Downstream).with("delay", delay_ms)
    }

    /// Resets the next `connections` connections as they come; 0 means every one.
    pub fn refuse(name: &str, connections: u64) -> Self {
        Self::new(name, "refuse", Stream::Downstream).with("connections", connections)
    }

    /// Accepts connections and does nothing with them until it is removed.
    pub fn no_answer(name: &str) -> Self {
        Self::new(name, "no_answer", Stream::Downstream)
    }
}

/// What a server can do beyond Toxiproxy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Extensions {
    pub name: String,
    pub version: String,
    /// Types of toxics that Toxiproxy does not have.
    pub toxics: Vec<String>,
}

/// What a proxy has carried since it was created, and what is open now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Statistics {
    pub name: String,
    pub enabled: bool,
    pub connections: ConnectionStatistics,
    pub bytes: ByteStatistics,
    pub toxics: Vec<ToxicStatistics>,
}

/// Connections of one proxy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConnectionStatistics {
    pub open: u64,
    pub accepted: u64,
    /// By what ended them: `client`, `upstream`, `unreached` (the upstream), `toxic`, `reset_now`,
    /// `down`.
    pub closed: BTreeMap<String, u64>,
}

/// Bytes of one proxy, by direction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ByteStatistics {
    pub upstream: FlowStatistics,
    pub downstream: FlowStatistics,
}

/// Bytes of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FlowStatistics {
    /// Read from its source.
    pub received: u64,
    /// Written to its destination.
    pub sent: u64,
}

/// One toxic in force.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ToxicStatistics {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub toxicity: f32,
    /// Connections it has affected since it was created.
    pub affected: u64,
}

/// Go writes an empty list or map as `null` in some places; both mean the same here.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
