//! This module holds what a server itself counts, each with all that is known of it before a run.
//!
//! To add one: its variant, its line in [`ServerCount::ALL`] and in [`ServerCount::about`], and where it is read in
//! `result/check/server.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::known::Known;
use crate::units::Unit;

/// What a server counts, of clients that may not count right themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerCount {
    /// Most sockets open at once.
    PeakOpen,
    /// Most sockets opened within 250 ms.
    PeakConnects,
    /// Tokens that were not, or not any more, good.
    RefusedTokens,
    /// Those still held when the sockets were gone.
    LeftConversations,
    /// KiB by which its resident memory was larger in the last quarter of the load than in the second, on average.
    MemoryGrowth,
    /// Microseconds of processor time over the whole run, for each message that was completed.
    CpuPerMessage,
}

/// What is known of a count.
pub(crate) struct About {
    /// As a scenario writes it.
    pub name: &'static str,
    pub unit: Unit,
    /// What it means, for a reader.
    pub meaning: &'static str,
    /// The failures that break a bound on it.
    pub known: &'static [Known],
    /// It is of clients: what a trial does beside them would be counted too.
    pub of_clients: bool,
}

impl ServerCount {
    pub(crate) const ALL: [Self; 6] = [
        Self::PeakOpen,
        Self::PeakConnects,
        Self::RefusedTokens,
        Self::LeftConversations,
        Self::MemoryGrowth,
        Self::CpuPerMessage,
    ];

    /// All that is known of it before a run.
    pub(crate) const fn about(self) -> About {
        match self {
            Self::PeakOpen => About {
                name: "server peak open",
                unit: Unit::Sockets,
                meaning: "most sockets open at once, by the server's own count",
                known: &[Known::RacingConnects],
                of_clients: true,
            },
            Self::PeakConnects => About {
                name: "server peak connects",
                unit: Unit::Sockets,
                meaning: "most sockets opened within 250 ms, by the server's own count",
                known: &[Known::NoBackoff],
                of_clients: true,
            },
            Self::RefusedTokens => About {
                name: "server refused tokens",
                unit: Unit::Tokens,
                meaning: "tokens that the server did not know, or not any more",
                known: &[Known::StaleTokenRetry],
                of_clients: true,
            },
            Self::LeftConversations => About {
                name: "server left conversations",
                unit: Unit::Conversations,
                meaning: "conversations that the server still held when the sockets were gone",
                known: &[Known::GroupLeak],
                of_clients: true,
            },
            Self::MemoryGrowth => About {
                name: "server memory growth",
                unit: Unit::Kibibytes,
                meaning: "resident memory in the last quarter of the load beyond that in the second, on average",
                known: &[Known::UnboundedOutbox, Known::GroupLeak],
                of_clients: false,
            },
            Self::CpuPerMessage => About {
                name: "server cpu per message",
                unit: Unit::Microseconds,
                meaning: "processor time of the servers over the whole run, for each completed message",
                known: &[],
                of_clients: true,
            },
        }
    }

    /// The count of that name, if there is one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|count| count.about().name == name)
    }
}
