//! This module reads what a fault does: its kind and the keys that belong to the kind.
//!
//! **In:** a section of the document. **Out:** an [`Action`], or problems.

use std::time::Duration;

use super::super::problem::{Complaint, Problems};
use super::super::section::Section;
use super::super::value::{self, HOUR, MINUTE, MS};

/// Most bytes, pieces or connections that a fault counts.
const COUNT_MAX: u64 = 1 << 40;

/// What a fault does, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Down,
    Latency { latency: Duration, jitter: Duration },
    Timeout { timeout: Duration },
    ResetPeer { timeout: Duration },
    Bandwidth { kb_per_s: u64 },
    SlowClose { delay: Duration },
    Slicer { piece_bytes: u64, delay: Duration },
    LimitData { bytes: u64 },
    IdleTimeout { timeout: Duration },
    LimitTime { time: Duration },
    Blackhole,
    ResetNow,
    SlowConnect { delay: Duration },
    Refuse { connections: u64 },
    NoAnswer,
    RedisKill,
    RedisPause,
    RedisRestart,
    RedisFlush,
    ServerKill,
    ServerPause,
    ServerRestart,
}

/// The kinds by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Down,
    Latency,
    Timeout,
    ResetPeer,
    Bandwidth,
    SlowClose,
    Slicer,
    LimitData,
    IdleTimeout,
    LimitTime,
    Blackhole,
    ResetNow,
    SlowConnect,
    Refuse,
    NoAnswer,
    RedisKill,
    RedisPause,
    RedisRestart,
    RedisFlush,
    ServerKill,
    ServerPause,
    ServerRestart,
}

pub(super) const KINDS: [(&str, Kind); 22] = [
    ("down", Kind::Down),
    ("latency", Kind::Latency),
    ("timeout", Kind::Timeout),
    ("reset_peer", Kind::ResetPeer),
    ("bandwidth", Kind::Bandwidth),
    ("slow_close", Kind::SlowClose),
    ("slicer", Kind::Slicer),
    ("limit_data", Kind::LimitData),
    ("idle_timeout", Kind::IdleTimeout),
    ("limit_time", Kind::LimitTime),
    ("blackhole", Kind::Blackhole),
    ("reset_now", Kind::ResetNow),
    ("slow_connect", Kind::SlowConnect),
    ("refuse", Kind::Refuse),
    ("no_answer", Kind::NoAnswer),
    ("redis-kill", Kind::RedisKill),
    ("redis-pause", Kind::RedisPause),
    ("redis-restart", Kind::RedisRestart),
    ("redis-flush", Kind::RedisFlush),
    ("server-kill", Kind::ServerKill),
    ("server-pause", Kind::ServerPause),
    ("server-restart", Kind::ServerRestart),
];

/// What of a link a kind acts on; decides which keys it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Bytes of a direction: takes `stream` and `toxicity`.
    Bytes,
    /// Connections as a whole: takes `toxicity`.
    Connections,
    /// The link at once.
    Link,
    /// The Redis process: takes no `link`.
    Process,
}

impl Kind {
    pub(super) const fn reach(self) -> Reach {
        match self {
            Self::Latency
            | Self::Timeout
            | Self::ResetPeer
            | Self::Bandwidth
            | Self::SlowClose
            | Self::Slicer
            | Self::LimitData => Reach::Bytes,
            Self::IdleTimeout
            | Self::LimitTime
            | Self::Blackhole
            | Self::SlowConnect
            | Self::Refuse
            | Self::NoAnswer => Reach::Connections,
            Self::Down | Self::ResetNow => Reach::Link,
            Self::RedisKill
            | Self::RedisPause
            | Self::RedisRestart
            | Self::RedisFlush
            | Self::ServerKill
            | Self::ServerPause
            | Self::ServerRestart => Reach::Process,
        }
    }

    /// It acts at one moment and lasts no time.
    pub(super) const fn is_moment(self) -> bool {
        matches!(self, Self::ResetNow | Self::RedisFlush)
    }

    /// It may last for the whole load, as a property of the network rather than an event.
    pub(super) const fn may_last(self) -> bool {
        matches!(self.reach(), Reach::Bytes | Reach::Connections)
    }
}

/// Reads the keys of a kind; `None` where one of them is missing or wrong.
pub(super) fn read(
    section: &mut Section<'_>,
    kind: Kind,
    problems: &mut Problems,
) -> Option<Action> {
    let mut keys = Keys { section, problems };
    Some(match kind {
        Kind::Down => Action::Down,
        Kind::Latency => keys.latency()?,
        Kind::Timeout => Action::Timeout {
            timeout: keys.time_or_none("timeout"),
        },
        Kind::ResetPeer => Action::ResetPeer {
            timeout: keys.time_or_none("timeout"),
        },
        Kind::Bandwidth => Action::Bandwidth {
            kb_per_s: keys.count(
                "kb_per_s",
                "write how much passes: kb_per_s = 100; 0 stops everything",
                0,
            )?,
        },
        Kind::SlowClose => Action::SlowClose {
            delay: keys.time(
                "delay",
                "write how much later the end arrives: delay = \"2s\"",
            )?,
        },
        Kind::Slicer => Action::Slicer {
            piece_bytes: keys.count(
                "piece_bytes",
                "write how long a piece is: piece_bytes = 20",
                1,
            )?,
            delay: keys.time_or_none("delay"),
        },
        Kind::LimitData => Action::LimitData {
            bytes: keys.count(
                "bytes",
                "write after how many bytes a connection ends: bytes = 4096",
                0,
            )?,
        },
        Kind::IdleTimeout => Action::IdleTimeout {
            timeout: keys.time(
                "timeout",
                "write after how much silence a connection is closed: timeout = \"60s\"",
            )?,
        },
        Kind::LimitTime => Action::LimitTime {
            time: keys.time("time", "write how long a connection lasts: time = \"30s\"")?,
        },
        Kind::Blackhole => Action::Blackhole,
        Kind::ResetNow => Action::ResetNow,
        Kind::SlowConnect => Action::SlowConnect {
            delay: keys.time(
                "delay",
                "write how long a new connection waits: delay = \"2s\"",
            )?,
        },
        Kind::Refuse => Action::Refuse {
            connections: keys.count_or("connections", 0),
        },
        Kind::NoAnswer => Action::NoAnswer,
        Kind::RedisKill => Action::RedisKill,
        Kind::RedisPause => Action::RedisPause,
        Kind::RedisRestart => Action::RedisRestart,
        Kind::RedisFlush => Action::RedisFlush,
        Kind::ServerKill => Action::ServerKill,
        Kind::ServerPause => Action::ServerPause,
        Kind::ServerRestart => Action::ServerRestart,
    })
}

/// One fault's section while its keys are read.
struct Keys<'a, 'd> {
    section: &'a mut Section<'d>,
    problems: &'a mut Problems,
}

impl Keys<'_, '_> {
    fn time(&mut self, key: &'static str, hint: &str) -> Option<Duration> {
        let read = value::duration(MS..=HOUR);
        let time = self.section.require(self.problems, key, hint, read);
        time.map(|time| time.value)
    }

    fn time_or_none(&mut self, key: &'static str) -> Duration {
        let read = value::duration(Duration::ZERO..=10 * MINUTE);
        self.section
            .read_or(self.problems, key, Duration::ZERO, read)
            .value
    }

    fn count(&mut self, key: &'static str, hint: &str, least: u64) -> Option<u64> {
        let read = value::integer(least..=COUNT_MAX);
        let count = self.section.require(self.problems, key, hint, read);
        count.map(|count| count.value)
    }

    fn count_or(&mut self, key: &'static str, default: u64) -> u64 {
        let read = value::integer(0..=COUNT_MAX);
        self.section
            .read_or(self.problems, key, default, read)
            .value
    }

    fn latency(&mut self) -> Option<Action> {
        let hint = "write how much later everything arrives: latency = \"800ms\"";
        let latency = value::duration(MS..=10 * MINUTE);
        let latency = self
            .section
            .require(self.problems, "latency", hint, latency);
        let jitter = value::duration(Duration::ZERO..=10 * MINUTE);
        let jitter = self
            .section
            .read_or(self.problems, "jitter", Duration::ZERO, jitter);
        let latency = latency?.value;
        if jitter.value > latency {
            let complaint = Complaint::new("larger than the latency it varies")
                .hint("nothing can arrive before it was sent: keep jitter at or below latency");
            let field = self.section.field("jitter");
            self.problems.add(&jitter.at, field, complaint);
            return None;
        }
        Some(Action::Latency {
            latency,
            jitter: jitter.value,
        })
    }
}
