//! This module watches the target's `/readyz` around a fault.
//!
//! **In:** the address of `/readyz`, and who asks there. **Out:** when it turned red and green again, dated by the
//! arrival of the answer that said so.
//!
//! **Units:** microseconds since load start.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::RunClock;

const POLL: Duration = Duration::from_millis(50);
/// No answer for so long is as red as a refusal.
const PATIENCE: Duration = Duration::from_secs(2);
/// A target that flaps faster than this is red and green enough.
const CHANGES_MAX: usize = 1_000;

/// What has been seen so far: every change, the first answer included.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    changes: Arc<Mutex<Vec<Change>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub at_us: u64,
    pub green: bool,
}

/// What a fault did to the readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It was green before the fault.
    pub watched: bool,
    pub red_us: Option<u64>,
    pub green_us: Option<u64>,
}

impl Readiness {
    pub(super) fn new() -> Self {
        Self {
            changes: Arc::default(),
        }
    }

    /// Asks until `stop`; `tell` hears of every change but the first answer.
    pub(super) async fn watch(
        self,
        (url, client): (String, reqwest::Client),
        clock: RunClock,
        stop: CancellationToken,
        tell: impl Fn(Change),
    ) {
        loop {
            let asked = async {
                let green = match client.get(&url).timeout(PATIENCE).send().await {
                    Ok(answer) => answer.status().is_success(),
                    Err(_) => false,
                };
                if let Some(change) = self.note(clock.now_us(), green) {
                    tell(change);
                }
                tokio::time::sleep(POLL).await;
            };
            // Dropping a question half-way loses nothing: its answer is no longer wanted.
            tokio::select! {
                () = asked => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Keeps an answer that differs from the one before; returns it unless it is the first.
    fn note(&self, at_us: u64, green: bool) -> Option<Change> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let last = changes.last().copied();
        if last.is_some_and(|last| last.green == green) || changes.len() >= CHANGES_MAX {
            return None;
        }
        let change = Change { at_us, green };
        changes.push(change);
        last.map(|_| change)
    }

    /// The last answer was green, or there is nothing to wait for.
    pub(super) fn is_settled(&self, injecting_us: u64) -> bool {
        let verdict = self.verdict(injecting_us);
        !verdict.watched || verdict.red_us.is_none() || verdict.green_us.is_some()
    }

    /// What a fault injected at that moment did.
    pub(super) fn verdict(&self, injecting_us: u64) -> Verdict {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, after): (Vec<Change>, Vec<Change>) = changes
            .iter()
            .partition(|change| change.at_us < injecting_us);
        let red_us = after
            .iter()
            .find(|change| !change.green)
            .map(|red| red.at_us);
        let last_green = after.last().filter(|change| change.green);
        Verdict {
            watched: before.last().is_some_and(|change| change.green),
            red_us,
            green_us: red_us.and(last_green).map(|green| green.at_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answers: &[(u64, bool)], expected: Verdict) {
        let readiness = Readiness::new();
        for (at_us, green) in answers {
            readiness.note(*at_us, *green);
        }
        assert_eq!(readiness.verdict(100), expected);
    }

    #[test]
    fn red_and_green_again_are_dated_by_their_first_answers() {
        let seen = [
            (50, true),
            (90, true),
            (120, false),
            (150, false),
            (300, true),
            (310, true),
        ];
        check(
            &seen,
            Verdict {
                watched: true,
                red_us: Some(120),
                green_us: Some(300),
            },
        );
    }

    #[test]
    fn a_target_that_never_turned_red_has_no_stamps() {
        let watched = true;
        check(
            &[(50, true), (200, true)],
            Verdict {
                watched,
                ..Verdict::default()
            },
        );
    }

    #[test]
    fn a_target_without_readiness_is_not_watched() {
        check(&[(50, false), (200, false)], Verdict::default());
    }

    #[test]
    fn a_target_that_flaps_is_green_when_it_stays_so() {
        let seen = [
            (50, true),
            (120, false),
            (150, true),
            (160, false),
            (400, true),
        ];
        check(
            &seen,
            Verdict {
                watched: true,
                red_us: Some(120),
                green_us: Some(400),
            },
        );
    }
}
