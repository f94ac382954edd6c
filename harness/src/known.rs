//! This module names the known failures of chat services (wire contract, "Failures").
//!
//! **Out:** [`Known`]: what a check or a step of an examination says it is looking at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of the contract's table.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Known {
    TokenDoubleSpend,
    TokenReusable,
    TokenImmortal,
    TokenTtlDrift,
    TokenInLog,
    #[serde(rename = "silent-1006")]
    Silent1006,
    ConnectHang,
    TokenEndpointHang,
    NoServerPing,
    PingAsChat,
    RedisNoauth,
    NoResubscribe,
    MemoryLayerTwoInstances,
    DuplicateOnResume,
    LostWhileAway,
    GroupLeak,
    UnboundedOutbox,
    ExpiryTooShort,
    OriginUnchecked,
    NotAParticipant,
    NoRateLimit,
    OversizeAccepted,
    JwtExpiryCut,
    ChunkReorder,
    CompleteMissing,
    WrongConversation,
    RacingConnects,
    NoBackoff,
    StaleTokenRetry,
    ProxyNoUpgrade,
    WrongServer,
    WrongSchemeOrPort,
    PubsubOnly,
    RetryRunsTwice,
}

/// Every failure in the order of the table: the first has row 1.
const ALL: [(Known, &str); 34] = [
    (Known::TokenDoubleSpend, "token-double-spend"),
    (Known::TokenReusable, "token-reusable"),
    (Known::TokenImmortal, "token-immortal"),
    (Known::TokenTtlDrift, "token-ttl-drift"),
    (Known::TokenInLog, "token-in-log"),
    (Known::Silent1006, "silent-1006"),
    (Known::ConnectHang, "connect-hang"),
    (Known::TokenEndpointHang, "token-endpoint-hang"),
    (Known::NoServerPing, "no-server-ping"),
    (Known::PingAsChat, "ping-as-chat"),
    (Known::RedisNoauth, "redis-noauth"),
    (Known::NoResubscribe, "no-resubscribe"),
    (Known::MemoryLayerTwoInstances, "memory-layer-two-instances"),
    (Known::DuplicateOnResume, "duplicate-on-resume"),
    (Known::LostWhileAway, "lost-while-away"),
    (Known::GroupLeak, "group-leak"),
    (Known::UnboundedOutbox, "unbounded-outbox"),
    (Known::ExpiryTooShort, "expiry-too-short"),
    (Known::OriginUnchecked, "origin-unchecked"),
    (Known::NotAParticipant, "not-a-participant"),
    (Known::NoRateLimit, "no-rate-limit"),
    (Known::OversizeAccepted, "oversize-accepted"),
    (Known::JwtExpiryCut, "jwt-expiry-cut"),
    (Known::ChunkReorder, "chunk-reorder"),
    (Known::CompleteMissing, "complete-missing"),
    (Known::WrongConversation, "wrong-conversation"),
    (Known::RacingConnects, "racing-connects"),
    (Known::NoBackoff, "no-backoff"),
    (Known::StaleTokenRetry, "stale-token-retry"),
    (Known::ProxyNoUpgrade, "proxy-no-upgrade"),
    (Known::WrongServer, "wrong-server"),
    (Known::WrongSchemeOrPort, "wrong-scheme-or-port"),
    (Known::PubsubOnly, "pubsub-only"),
    (Known::RetryRunsTwice, "retry-runs-twice"),
];

/// Those that the server has a switch for (kind D of the table), and whether it takes a share: `chunk-reorder=0.1`.
pub(crate) const SWITCHES: [(Known, bool); 26] = [
    (Known::TokenDoubleSpend, false),
    (Known::TokenReusable, false),
    (Known::TokenImmortal, false),
    (Known::TokenTtlDrift, false),
    (Known::TokenInLog, false),
    (Known::Silent1006, false),
    (Known::ConnectHang, false),
    (Known::TokenEndpointHang, false),
    (Known::NoServerPing, false),
    (Known::PingAsChat, false),
    (Known::NoResubscribe, false),
    (Known::DuplicateOnResume, false),
    (Known::LostWhileAway, false),
    (Known::GroupLeak, false),
    (Known::UnboundedOutbox, false),
    (Known::ExpiryTooShort, false),
    (Known::OriginUnchecked, false),
    (Known::NotAParticipant, false),
    (Known::NoRateLimit, false),
    (Known::OversizeAccepted, false),
    (Known::JwtExpiryCut, false),
    (Known::ChunkReorder, true),
    (Known::CompleteMissing, true),
    (Known::WrongConversation, true),
    (Known::PubsubOnly, false),
    (Known::RetryRunsTwice, false),
];

impl Known {
    /// As the contract and the switches of the server write it.
    pub(crate) fn name(self) -> &'static str {
        ALL.get(self as usize).map_or("", |(_, name)| name)
    }

    /// Whether a run that is not sound can show the same: its own Redis died, the load generator starved. The others
    /// are the service's doing in any environment.
    pub(crate) const fn needs_sound_run(self) -> bool {
        match self {
            Self::TokenDoubleSpend
            | Self::TokenReusable
            | Self::TokenImmortal
            | Self::TokenInLog
            | Self::DuplicateOnResume
            | Self::OriginUnchecked
            | Self::NotAParticipant
            | Self::OversizeAccepted
            | Self::ChunkReorder
            | Self::WrongConversation => false,
            Self::TokenTtlDrift
            | Self::Silent1006
            | Self::ConnectHang
            | Self::TokenEndpointHang
            | Self::NoServerPing
            | Self::PingAsChat
            | Self::RedisNoauth
            | Self::NoResubscribe
            | Self::MemoryLayerTwoInstances
            | Self::LostWhileAway
            | Self::GroupLeak
            | Self::UnboundedOutbox
            | Self::ExpiryTooShort
            | Self::NoRateLimit
            | Self::JwtExpiryCut
            | Self::CompleteMissing
            | Self::RacingConnects
            | Self::NoBackoff
            | Self::StaleTokenRetry
            | Self::ProxyNoUpgrade
            | Self::WrongServer
            | Self::WrongSchemeOrPort
            | Self::PubsubOnly
            | Self::RetryRunsTwice => true,
        }
    }

    /// Every failure, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ALL.iter().map(|(known, _)| *known)
    }

    /// Its row in the contract's table, from 1.
    pub(crate) const fn row(self) -> u8 {
        self as u8 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_names_are_those_of_the_contract() {
        let page = include_str!("../../contract/README.md");
        let row = |line: &str| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let row: u8 = cells.next()?.parse().ok()?;
            Some((row, cells.next()?.to_owned()))
        };
        let table = page.split("## Failures").nth(1).unwrap();
        let listed: Vec<(u8, String)> = table.lines().filter_map(row).collect();
        let known: Vec<(u8, String)> = ALL
            .iter()
            .map(|(known, name)| {
                let written = serde_json::to_value(known).unwrap();
                assert_eq!(written, *name);
                (known.row(), known.name().to_owned())
            })
            .collect();
        assert_eq!(known, listed);
    }

    #[test]
    fn the_server_s_switches_are_the_rows_of_kind_d() {
        let page = include_str!("../../contract/README.md");
        let table = page.split("## Failures").nth(1).unwrap();
        let of_server = |line: &str| {
            let mut cells = line.strip_prefix("| ")?.split(" | ").skip(1);
            let name = cells.next()?.to_owned();
            (cells.next()? == "D").then_some(name)
        };
        let listed: Vec<String> = table.lines().filter_map(of_server).collect();
        assert_eq!(SWITCHES.map(|(known, _)| known.name()).to_vec(), listed);
        let shares = SWITCHES.iter().filter(|(_, share)| *share);
        let rows: Vec<u8> = shares.map(|(known, _)| known.row()).collect();
        assert_eq!(rows, [24, 25, 26], "{}", table.lines().nth(4).unwrap());
    }
}
