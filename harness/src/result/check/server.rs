//! This module looks at what the target itself counted: the only judge of clients that misbehave.
//!
//! **In:** the target's account. **Out:** a count, or none where the target does not count it.

use super::super::{RunResult, Unit};
use crate::known::Known;
use crate::scenario::expectation::ServerCount;

const BYTES_PER_KIB: u64 = 1 << 10;

/// The count and what it counts.
pub(super) fn seen(result: &RunResult, count: ServerCount) -> (Option<u64>, Unit) {
    let account = result.server.as_ref();
    let of = |pick: fn(&super::super::ServerAccount) -> Option<u64>| account.and_then(pick);
    match count {
        ServerCount::PeakOpen => (of(|account| account.open_peak), Unit::Sockets),
        ServerCount::PeakConnects => (of(|account| account.connects_peak), Unit::Sockets),
        ServerCount::RefusedTokens => (of(|account| account.tokens_refused), Unit::Tokens),
        ServerCount::LeftConversations => (
            of(|account| account.conversations_left),
            Unit::Conversations,
        ),
        ServerCount::MemoryGrowth => {
            let grown = of(|account| account.memory_growth_bytes);
            (grown.map(|bytes| bytes / BYTES_PER_KIB), Unit::Kibibytes)
        }
    }
}

/// The failures that break a bound on it.
pub(super) const fn known(count: ServerCount) -> &'static [Known] {
    match count {
        ServerCount::PeakOpen => &[Known::RacingConnects],
        ServerCount::PeakConnects => &[Known::NoBackoff],
        ServerCount::RefusedTokens => &[Known::StaleTokenRetry],
        ServerCount::LeftConversations => &[Known::GroupLeak],
        ServerCount::MemoryGrowth => &[Known::UnboundedOutbox, Known::GroupLeak],
    }
}

/// What it means, for a reader.
pub(super) const fn finding(count: ServerCount) -> &'static str {
    match count {
        ServerCount::PeakOpen => "most sockets open at once, by the server's own count",
        ServerCount::PeakConnects => "most sockets opened within 250 ms, by the server's own count",
        ServerCount::RefusedTokens => "tokens that the server did not know, or not any more",
        ServerCount::LeftConversations => {
            "conversations that the server still held when the sockets were gone"
        }
        ServerCount::MemoryGrowth => {
            "resident memory in the last quarter of the load beyond that in the second, on average"
        }
    }
}
