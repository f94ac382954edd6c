//! This module holds what goes wrong in a run, fully resolved.
//!
//! **In:** nothing; it is data that `timeline` makes of a checked scenario. **Out:** the kinds, with
//! their links, parameters and the words for them.
//!
//! **Units:** `*_us` are microseconds; `at_us` counts from load start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::fault::{Link, Streams};
use crate::units::{print_bytes, print_us};

/// One fault of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PlannedFault {
    /// Unique in the plan: given, or `<link or part>-<kind>`, numbered where that repeats.
    pub name: String,
    pub at_us: u64,
    /// 0 for what acts at one moment.
    pub for_us: u64,
    pub kind: FaultKind,
    /// The bytes it acts on, where it acts on bytes.
    #[serde(default = "downstream", skip_serializing_if = "is_downstream")]
    pub streams: Streams,
    /// Share of the connections it affects: above 0, at most 1.
    #[serde(default = "every_one", skip_serializing_if = "is_every_one")]
    pub toxicity_ratio: f64,
    /// It lasts to the end of the load: a property of the network that the run is about, not an
    /// event with a window and a recovery.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub condition: bool,
    /// Line of the scenario file, from 1.
    pub line: u32,
}

const fn downstream() -> Streams {
    Streams::Downstream
}

const fn every_one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_downstream(streams: &Streams) -> bool {
    *streams == Streams::Downstream
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_every_one(ratio: &f64) -> bool {
    *ratio >= 1.0
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum FaultKind {
    /// The link's proxy is disabled: connections closed, new ones refused.
    Down {
        link: Link,
    },
    /// Every chunk later by `latency_us` ± `jitter_us`.
    Latency {
        link: Link,
        latency_us: u64,
        jitter_us: u64,
    },
    /// Data dropped, connections closed after `timeout_us` of silence (0: never).
    Timeout {
        link: Link,
        timeout_us: u64,
    },
    /// Connections reset `timeout_us` after their first data.
    ResetPeer {
        link: Link,
        timeout_us: u64,
    },
    /// At most so much of each connection passes; 0 stops it.
    Bandwidth {
        link: Link,
        kb_per_s: u64,
    },
    /// The end of a connection arrives later.
    SlowClose {
        link: Link,
        delay_us: u64,
    },
    /// Data cut into pieces, `delay_us` apart.
    Slicer {
        link: Link,
        piece_bytes: u64,
        delay_us: u64,
    },
    /// Connections end after so many bytes.
    LimitData {
        link: Link,
        bytes: u64,
    },
    /// Connections end after so long without a byte.
    IdleTimeout {
        link: Link,
        timeout_us: u64,
    },
    /// Connections end when they are so old.
    LimitTime {
        link: Link,
        time_us: u64,
    },
    /// Everything dropped both ways, sockets kept.
    Blackhole {
        link: Link,
    },
    /// Every live connection reset at one moment.
    ResetNow {
        link: Link,
    },
    /// New connections reach their upstream only so much later.
    SlowConnect {
        link: Link,
        delay_us: u64,
    },
    /// The next connections are reset as they come; 0 is every one.
    Refuse {
        link: Link,
        connections: u64,
    },
    /// New connections are accepted and never carried on.
    NoAnswer {
        link: Link,
    },
    /// SIGKILL; started again at the end of the fault.
    RedisKill,
    /// SIGSTOP; SIGCONT at the end of the fault.
    RedisPause,
    /// Orderly shutdown, started again at the end of the fault.
    RedisRestart,
    /// Every connection token forgotten at one moment, and the rate limits with them.
    RedisFlush,
    /// The same three for the server; of several, the first.
    ServerKill,
    ServerPause,
    ServerRestart,
}

/// A number of a fault, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    TimeUs(u64),
    Count(u64),
}

impl FaultKind {
    /// The link a fault acts on; `None` for faults of a process.
    pub(crate) const fn link(self) -> Option<Link> {
        match self {
            Self::Down { link }
            | Self::Latency { link, .. }
            | Self::Timeout { link, .. }
            | Self::ResetPeer { link, .. }
            | Self::Bandwidth { link, .. }
            | Self::SlowClose { link, .. }
            | Self::Slicer { link, .. }
            | Self::LimitData { link, .. }
            | Self::IdleTimeout { link, .. }
            | Self::LimitTime { link, .. }
            | Self::Blackhole { link }
            | Self::ResetNow { link }
            | Self::SlowConnect { link, .. }
            | Self::Refuse { link, .. }
            | Self::NoAnswer { link } => Some(link),
            Self::RedisKill
            | Self::RedisPause
            | Self::RedisRestart
            | Self::RedisFlush
            | Self::ServerKill
            | Self::ServerPause
            | Self::ServerRestart => None,
        }
    }

    /// It acts on the server itself.
    pub(crate) const fn is_of_server(self) -> bool {
        matches!(
            self,
            Self::ServerKill | Self::ServerPause | Self::ServerRestart
        )
    }

    /// As a scenario writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Down { .. } => "down",
            Self::Latency { .. } => "latency",
            Self::Timeout { .. } => "timeout",
            Self::ResetPeer { .. } => "reset_peer",
            Self::Bandwidth { .. } => "bandwidth",
            Self::SlowClose { .. } => "slow_close",
            Self::Slicer { .. } => "slicer",
            Self::LimitData { .. } => "limit_data",
            Self::IdleTimeout { .. } => "idle_timeout",
            Self::LimitTime { .. } => "limit_time",
            Self::Blackhole { .. } => "blackhole",
            Self::ResetNow { .. } => "reset_now",
            Self::SlowConnect { .. } => "slow_connect",
            Self::Refuse { .. } => "refuse",
            Self::NoAnswer { .. } => "no_answer",
            Self::RedisKill => "redis-kill",
            Self::RedisPause => "redis-pause",
            Self::RedisRestart => "redis-restart",
            Self::RedisFlush => "redis-flush",
            Self::ServerKill => "server-kill",
            Self::ServerPause => "server-pause",
            Self::ServerRestart => "server-restart",
        }
    }

    /// The keys of the kind, as a scenario writes them.
    pub(crate) fn amounts(self) -> Vec<(&'static str, Amount)> {
        match self {
            Self::Latency {
                latency_us,
                jitter_us,
                ..
            } => vec![
                ("latency", Amount::TimeUs(latency_us)),
                ("jitter", Amount::TimeUs(jitter_us)),
            ],
            Self::Timeout { timeout_us, .. }
            | Self::ResetPeer { timeout_us, .. }
            | Self::IdleTimeout { timeout_us, .. } => {
                vec![("timeout", Amount::TimeUs(timeout_us))]
            }
            Self::Bandwidth { kb_per_s, .. } => vec![("kb_per_s", Amount::Count(kb_per_s))],
            Self::SlowClose { delay_us, .. } | Self::SlowConnect { delay_us, .. } => {
                vec![("delay", Amount::TimeUs(delay_us))]
            }
            Self::Slicer {
                piece_bytes,
                delay_us,
                ..
            } => vec![
                ("piece_bytes", Amount::Count(piece_bytes)),
                ("delay", Amount::TimeUs(delay_us)),
            ],
            Self::LimitData { bytes, .. } => vec![("bytes", Amount::Count(bytes))],
            Self::LimitTime { time_us, .. } => vec![("time", Amount::TimeUs(time_us))],
            Self::Refuse { connections, .. } => {
                vec![("connections", Amount::Count(connections))]
            }
            Self::Down { .. }
            | Self::Blackhole { .. }
            | Self::ResetNow { .. }
            | Self::NoAnswer { .. }
            | Self::RedisKill
            | Self::RedisPause
            | Self::RedisRestart
            | Self::RedisFlush
            | Self::ServerKill
            | Self::ServerPause
            | Self::ServerRestart => Vec::new(),
        }
    }

    /// It acts on the bytes of a direction, which a scenario can choose.
    pub(crate) const fn acts_on_bytes(self) -> bool {
        matches!(
            self,
            Self::Latency { .. }
                | Self::Timeout { .. }
                | Self::ResetPeer { .. }
                | Self::Bandwidth { .. }
                | Self::SlowClose { .. }
                | Self::Slicer { .. }
                | Self::LimitData { .. }
        )
    }

    /// It is a toxic or a call that only the harness's own fault proxy has.
    pub(crate) const fn needs_own_proxy(self) -> bool {
        matches!(
            self,
            Self::IdleTimeout { .. }
                | Self::LimitTime { .. }
                | Self::Blackhole { .. }
                | Self::ResetNow { .. }
                | Self::SlowConnect { .. }
                | Self::Refuse { .. }
                | Self::NoAnswer { .. }
        )
    }

    /// It acts at one moment and lasts no time.
    pub(crate) const fn is_moment(self) -> bool {
        matches!(self, Self::ResetNow { .. } | Self::RedisFlush)
    }

    /// How long a connection must be under it before anything is seen.
    pub(crate) const fn acts_after_us(self) -> u64 {
        match self {
            Self::IdleTimeout { timeout_us, .. } => timeout_us,
            Self::LimitTime { time_us, .. } => time_us,
            _ => 0,
        }
    }

    /// What it does to the link, or to Redis, as the end of a sentence.
    pub(crate) fn effect(self) -> String {
        match self {
            Self::Down { .. } => "down".to_owned(),
            Self::Latency {
                latency_us,
                jitter_us: 0,
                ..
            } => format!("slower by {}", print_us(latency_us)),
            Self::Latency {
                latency_us,
                jitter_us,
                ..
            } => format!(
                "slower by {} ± {}",
                print_us(latency_us),
                print_us(jitter_us)
            ),
            Self::Timeout { .. } | Self::Blackhole { .. } => "a black hole".to_owned(),
            Self::ResetPeer { .. } => "reset".to_owned(),
            Self::Bandwidth { kb_per_s: 0, .. } => "stalled".to_owned(),
            Self::Bandwidth { kb_per_s, .. } => format!("at most {kb_per_s} KB/s a connection"),
            Self::SlowClose { delay_us, .. } => format!("closing {} late", print_us(delay_us)),
            Self::Slicer { piece_bytes, .. } => {
                format!("cut into pieces of {}", print_bytes(piece_bytes))
            }
            Self::LimitData { bytes, .. } => format!("cut after {}", print_bytes(bytes)),
            Self::IdleTimeout { timeout_us, .. } => {
                format!("cut after {} of silence", print_us(timeout_us))
            }
            Self::LimitTime { time_us, .. } => format!("cut after {}", print_us(time_us)),
            Self::ResetNow { .. } => "reset once".to_owned(),
            Self::SlowConnect { delay_us, .. } => {
                format!("connecting {} late", print_us(delay_us))
            }
            Self::Refuse { connections: 0, .. } => "refusing connections".to_owned(),
            Self::Refuse { connections, .. } => format!("refusing {connections} connections"),
            Self::NoAnswer { .. } => "accepting and not answering".to_owned(),
            Self::RedisKill | Self::ServerKill => "killed".to_owned(),
            Self::RedisPause | Self::ServerPause => "stopped".to_owned(),
            Self::RedisRestart | Self::ServerRestart => "restarted".to_owned(),
            Self::RedisFlush => "without its tokens".to_owned(),
        }
    }
}
