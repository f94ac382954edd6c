//! This module looks at what the target itself counted: the only judge of clients that misbehave.
//!
//! **In:** the target's account. **Out:** a count in its unit, or none where the target does not count it.

use super::super::RunResult;
use super::lack::Lack;
use crate::scenario::server_count::ServerCount;
use crate::units::US_PER_S;

const BYTES_PER_KIB: u64 = 1 << 10;
/// What a server that the run did not start tells of its processor time, by the name of every Prometheus library.
const CPU: &str = "process_cpu_seconds_total";

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
        ServerCount::CpuPerMessage => {
            let told = || account.counters.get(CPU).copied();
            let spent = account
                .cpu_seconds
                .or_else(told)
                .filter(|spent| *spent > 0.0);
            let spent = spent.ok_or(Lack::Uncounted)?;
            let messages = match result.delivery.completed {
                0 => return Err(Lack::Messages),
                completed => completed as f64,
            };
            return Ok(spent * US_PER_S as f64 / messages);
        }
    };
    counted.map(|count| count as f64).ok_or(Lack::Uncounted)
}
