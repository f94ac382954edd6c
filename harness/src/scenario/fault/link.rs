//! Where a fault acts: a link, and the bytes of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A path on which a fault can act.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Link {
    /// All three databases.
    Redis,
    RedisTokens,
    RedisTasks,
    RedisChannel,
    /// Clients to server.
    Edge,
}

/// The links a scenario can name, as it writes them.
pub(crate) const LINKS: [(&str, Link); 5] = [
    ("redis", Link::Redis),
    ("redis.tokens", Link::RedisTokens),
    ("redis.tasks", Link::RedisTasks),
    ("redis.channel", Link::RedisChannel),
    ("edge", Link::Edge),
];

impl Link {
    /// As a scenario writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::RedisTokens => "redis.tokens",
            Self::RedisTasks => "redis.tasks",
            Self::RedisChannel => "redis.channel",
            Self::Edge => "edge",
        }
    }

    /// The links it stands for: all three databases spelt out, else itself.
    pub(crate) const fn singles(self) -> &'static [Self] {
        match self {
            Self::Redis => &[Self::RedisTokens, Self::RedisTasks, Self::RedisChannel],
            Self::RedisTokens => &[Self::RedisTokens],
            Self::RedisTasks => &[Self::RedisTasks],
            Self::RedisChannel => &[Self::RedisChannel],
            Self::Edge => &[Self::Edge],
        }
    }

    /// Whether a fault on this link is also felt on `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == other || (self == Self::Redis && other != Self::Edge)
    }
}

/// The bytes a fault acts on, seen from the client of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Streams {
    /// What the client of the link sends.
    Upstream,
    /// What it receives.
    Downstream,
    Both,
}

/// The directions, as a scenario writes them.
pub(crate) const STREAMS: [(&str, Streams); 3] = [
    ("upstream", Streams::Upstream),
    ("downstream", Streams::Downstream),
    ("both", Streams::Both),
];
