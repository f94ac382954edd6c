//! What a single flag may say.

use std::time::Duration;

use clap::ValueEnum;

/// How a socket that must not be opened is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Refuse {
    /// Complete the upgrade, then close with a code the browser can see.
    Close,
    /// Answer the upgrade with 401, 403 or 503.
    Handshake,
}

/// What carries events from the worker to the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChannelKind {
    /// Redis pub/sub and a stream per conversation: several instances can share it.
    Redis,
    /// Within this process, without history: for development.
    Memory,
}

impl ChannelKind {
    /// As the health page prints it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Memory => "memory",
        }
    }
}

/// Where the task worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorkerKind {
    /// In the server's process.
    Inside,
    /// Elsewhere: `reference-server worker`, as many as wanted.
    None,
}

/// Longest duration: more is a mistake, and what is added to it must not overflow.
const DURATION_MAX: Duration = Duration::from_hours(3650 * 24);

/// A duration as typed: `500ms`, `15s`, `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text)
        .map_err(|problem| format!("{problem}; write for example `500ms`, `15s`, `5m`"))?;
    if parsed > DURATION_MAX {
        return Err("is over ten years; write for example `500ms`, `15s`, `5m`".to_owned());
    }
    Ok(parsed)
}
