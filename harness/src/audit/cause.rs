//! This module knows which failures bring others with them.

use crate::known::Known;

/// What else a failure makes break: it and what follows from it.
const CAUSES: &[(Known, &[Known])] = &[
    (Known::TokenReusable, &[Known::TokenDoubleSpend]),
    (Known::TokenImmortal, &[Known::TokenTtlDrift]),
    (
        Known::NoResubscribe,
        &[Known::PubsubOnly, Known::CompleteMissing],
    ),
    (
        Known::PingAsChat,
        &[Known::WrongConversation, Known::PubsubOnly],
    ),
    (Known::Silent1006, &[Known::JwtExpiryCut]),
    (Known::CompleteMissing, &[Known::PubsubOnly]),
    // Of two tasks with one id the client hears now one and now the other, and of some messages the end of neither.
    (Known::RetryRunsTwice, &[Known::PubsubOnly]),
    // Each instance knows only of what was said on it.
    (Known::MemoryLayerTwoInstances, &[Known::LostWhileAway]),
    (Known::LostWhileAway, &[Known::ExpiryTooShort]),
];

/// Those of `broken` from which this one may follow.
pub(super) fn of(known: Known, broken: &[Known]) -> Vec<Known> {
    let causes = CAUSES
        .iter()
        .filter(|(_, follows)| follows.contains(&known));
    let causes = causes.map(|(cause, _)| *cause);
    causes.filter(|cause| broken.contains(cause)).collect()
}
