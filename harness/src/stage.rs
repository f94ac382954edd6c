//! This module names the stages of a session, each of which has a latency of its own.
//!
//! **In / Out:** nothing; a vocabulary shared by scenario, recorder, result and reports.
//!
//! A stage that depends on another (token, then upgrade, then connected) counts its response time
//! from the intended start of the first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stage of a session or of a message, in the order in which a client meets them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// The HTTP request for a connection token.
    Token,
    /// The TCP handshake.
    Tcp,
    /// The TLS handshake; absent on `ws://`.
    Tls,
    /// The HTTP upgrade, request to `101`.
    Upgrade,
    /// Intended start of the session to `connected`.
    SessionReady,
    /// Message to `task_queued`.
    TaskQueued,
    /// Message to its first `chunk`.
    FirstChunk,
    /// Message to `complete`.
    Complete,
    /// Message to each other member of its conversation: the whole answer to it, or the message itself.
    FanOut,
    /// `ping` to `pong`.
    Heartbeat,
    /// Abnormal close to `connected` again.
    Reconnect,
    /// Last byte either way to the cut without a close frame: what an idle timeout on the way looks like.
    Silence,
}

impl Stage {
    pub(crate) const COUNT: usize = 12;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Token,
        Self::Tcp,
        Self::Tls,
        Self::Upgrade,
        Self::SessionReady,
        Self::TaskQueued,
        Self::FirstChunk,
        Self::Complete,
        Self::FanOut,
        Self::Heartbeat,
        Self::Reconnect,
        Self::Silence,
    ];

    /// The name used in scenarios, results and metric labels.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Upgrade => "upgrade",
            Self::SessionReady => "session_ready",
            Self::TaskQueued => "task_queued",
            Self::FirstChunk => "first_chunk",
            Self::Complete => "complete",
            Self::FanOut => "fan_out",
            Self::Heartbeat => "heartbeat",
            Self::Reconnect => "reconnect",
            Self::Silence => "silence",
        }
    }

    /// The stage of that name, if there is one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Position in [`Stage::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
