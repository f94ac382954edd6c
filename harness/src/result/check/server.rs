//! This module looks at what the target itself counted: the only judge of clients that misbehave.
//!
//! **In:** the target's account. **Out:** a count in its unit, or none where the target does not count it.

use super::super::RunResult;
use super::lack::Lack;
use crate::scenario::server_count::ServerCount;

const BYTES_PER_KIB: u64 = 1 << 10;

/// The count, in its unit.
pub(super) fn seen(result: &RunResult, count: ServerCount) -> Result<f64, Lack> {
    let account = result.server.as_ref().ok_or(Lack::Uncounted)?;
    let counted = match count {
        ServerCount::PeakOpen => account.open_peak,
        ServerCount::PeakConnects => account.connects_peak,
        ServerCount::RefusedTokens => account.tokens_refused,
        ServerCount::LeftConversations => account.conversations_left,
        ServerCount::MemoryGrowth => {
            let grown = account.memory_growth_bytes.ok_or(Lack::Memory)?;
            Some(grown / BYTES_PER_KIB)
        }
    };
    counted.map(|count| count as f64).ok_or(Lack::Uncounted)
}
