//! This module holds what is known of a fault while it happens and afterwards.
//!
//! **In:** the fault driver's stamps. **Out:** [`FaultStamps`] for the result, and the
//! [`FaultBoard`] on which session lanes read which fault a message has touched.
//!
//! **Units:** microseconds since load start.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

/// Every moment of one fault, as far as it got. Facts only; judged elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FaultStamps {
    /// Just before the call that starts the fault.
    pub injecting_us: Option<u64>,
    /// That call was acknowledged.
    pub injected_us: Option<u64>,
    /// A probe through the faulted path met the fault.
    pub confirmed_us: Option<u64>,
    /// Just before the call that ends the fault.
    pub healing_us: Option<u64>,
    /// That call was acknowledged.
    pub healed_us: Option<u64>,
    /// A probe through the path worked again.
    pub heal_confirmed_us: Option<u64>,
    /// The target's `/readyz` turned red.
    pub readiness_red_us: Option<u64>,
    /// It turned green again.
    pub readiness_green_us: Option<u64>,
    /// The target has a `/readyz` that was green before the fault.
    pub readiness_watched: bool,
    /// How far the machine itself stalled between the planned moment and the injection.
    pub machine_pause_us: u64,
    /// What went wrong, in one sentence.
    pub problem: Option<String>,
}

/// Which faults are in force: written by the driver, read by every session lane.
///
/// A fault is in force from `injecting_us` until `heal_confirmed_us` (or for ever).
///
/// A load in several processes has a board in each: those of the others *follow* that of the driver, who waits until they
/// have [`told`](Self::told) of a change.
#[derive(Debug, Default)]
pub(crate) struct FaultBoard {
    slots: Vec<FaultSlot>,
    /// Counts changes.
    revision: watch::Sender<u64>,
    /// The last change that each follower has confirmed.
    heard: watch::Sender<Vec<u64>>,
    /// Somebody was not told in time.
    untold: AtomicBool,
    /// Followers are told through a folder.
    far_away: AtomicBool,
}

/// From when to when a fault is in force; `u64::MAX`: not yet.
pub(crate) type FaultSpan = (u64, u64);

#[derive(Debug)]
struct FaultSlot {
    from_us: AtomicU64,
    to_us: AtomicU64,
}

impl FaultBoard {
    /// A board for that many planned faults, at most 254.
    pub(crate) fn new(faults: usize) -> Self {
        let slot = || FaultSlot {
            from_us: AtomicU64::new(u64::MAX),
            to_us: AtomicU64::new(u64::MAX),
        };
        Self {
            slots: (0..faults).map(|_| slot()).collect(),
            ..Self::default()
        }
    }

    /// Changes are to be confirmed by so many boards of other processes.
    /// Where they are far away, each may take longer.
    pub(crate) fn followed_by(&self, followers: usize, far_away: bool) {
        self.far_away.store(far_away, Ordering::Relaxed);
        self.heard.send_replace(vec![0; followers]);
    }

    /// Counts the changes, for whoever brings them to a follower.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// A follower knows of this change and all before; of [`u64::MAX`]: it is gone, and nobody is to wait for it.
    pub(crate) fn heard(&self, follower: usize, revision: u64) {
        self.heard.send_modify(|heard| {
            if let Some(last) = heard.get_mut(follower) {
                *last = revision.max(*last);
            }
        });
    }

    /// Waits until all followers know of all changes so far, for at most `patience`, or five times as long where they are
    /// far away. Whoever does not confirm it in time
    /// may count on the wrong side of the fault: see [`Self::is_untold`].
    pub(crate) async fn told(&self, patience: Duration) {
        let far_away = self.far_away.load(Ordering::Relaxed);
        let patience = if far_away { patience * 5 } else { patience };
        let revision = *self.revision.borrow();
        let mut heard = self.heard.subscribe();
        let all = heard.wait_for(|heard| heard.iter().all(|last| *last >= revision));
        if timeout(patience, all).await.is_err() {
            self.untold.store(true, Ordering::Relaxed);
            tracing::warn!("a process of the load has not confirmed that it knows of a fault");
        }
    }

    /// Whether a follower did not know of a change in time.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold.load(Ordering::Relaxed)
    }

    /// Every fault, in the order of the plan.
    pub(crate) fn spans(&self) -> Vec<FaultSpan> {
        let slots = self.slots.iter();
        slots
            .map(|slot| {
                (
                    slot.from_us.load(Ordering::Acquire),
                    slot.to_us.load(Ordering::Acquire),
                )
            })
            .collect()
    }

    /// Writes what the board that this one follows says.
    pub(crate) fn follow(&self, spans: &[FaultSpan]) {
        for (slot, (from_us, to_us)) in self.slots.iter().zip(spans) {
            slot.from_us.store(*from_us, Ordering::Release);
            slot.to_us.store(*to_us, Ordering::Release);
        }
    }

    /// The fault is about to be injected.
    pub(crate) fn begin(&self, fault: usize, at_us: u64) {
        if let Some(slot) = self.slots.get(fault) {
            slot.from_us.store(at_us, Ordering::Release);
            self.revision.send_modify(|revision| *revision += 1);
        }
    }

    /// The fault is over, confirmed.
    pub(crate) fn end(&self, fault: usize, at_us: u64) {
        if let Some(slot) = self.slots.get(fault) {
            slot.to_us.store(at_us, Ordering::Release);
            self.revision.send_modify(|revision| *revision += 1);
        }
    }

    /// The first fault that any part of `from_us..=to_us` touched.
    pub(crate) fn touched(&self, from_us: u64, to_us: u64) -> Option<usize> {
        (0..self.slots.len()).find(|&fault| self.touches(fault, from_us, to_us))
    }

    /// When a fault began; `u64::MAX`: it has not.
    pub(crate) fn began_us(&self, fault: usize) -> u64 {
        let slot = self.slots.get(fault);
        slot.map_or(u64::MAX, |slot| slot.from_us.load(Ordering::Acquire))
    }

    /// Whether that fault touched any part of `from_us..=to_us`.
    pub(crate) fn touches(&self, fault: usize, from_us: u64, to_us: u64) -> bool {
        self.slots.get(fault).is_some_and(|slot| {
            slot.from_us.load(Ordering::Acquire) <= to_us
                && from_us <= slot.to_us.load(Ordering::Acquire)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[test]
    fn a_message_in_flight_when_a_fault_begins_belongs_to_it() {
        let board = FaultBoard::new(2);
        board.begin(1, 100);
        board.end(1, 200);
        assert_eq!(board.touched(50, 99), None);
        assert_eq!(board.touched(50, 100), Some(1));
        assert_eq!(board.touched(200, 300), Some(1));
        assert_eq!(board.touched(201, 300), None);
    }

    #[tokio::test]
    async fn a_change_is_told_when_every_follower_has_confirmed_it() {
        const LONG: Duration = Duration::from_mins(1);
        let board = FaultBoard::new(1);
        board.told(LONG).await;
        board.followed_by(3, false);
        board.told(LONG).await;
        board.begin(0, 100);
        let revision = *board.changes().borrow();
        board.heard(0, revision);
        board.heard(1, u64::MAX);
        let mut told = pin!(board.told(LONG));
        assert!(poll!(&mut told).is_pending());
        board.heard(2, revision);
        told.await;
        assert!(!board.is_untold());
        board.end(0, 300);
        board.told(Duration::ZERO).await;
        assert!(board.is_untold());

        let follower = FaultBoard::new(1);
        follower.follow(&board.spans());
        assert_eq!(follower.touched(50, 100), Some(0));
        follower.follow(&board.spans());
        assert_eq!(follower.touched(301, 400), None);
        board.end(0, 200);
        assert!(poll!(pin!(board.told(LONG))).is_pending());
        follower.follow(&board.spans());
        assert_eq!(follower.touched(201, 300), None);
    }
}
