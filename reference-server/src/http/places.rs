//! Places for HTTP connections: so many, and who leaves where somebody new comes.
//!
//! Whoever waits between two requests leaves first, the longest idle before the others; the fuller
//! it is, the shorter one may wait. Then those who dawdle: over a request, a farewell, an answer
//! they do not read. Only where everybody is being served is the newcomer sent away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How long a newcomer waits for those who were asked to leave.
const LEAVING: Duration = Duration::from_millis(100);
/// How often it is looked for those who have idled too long, while there are places left.
const LOOK_EVERY_MS: u64 = 250;
/// What anybody may idle, unless every place is needed.
const IDLE_LEAST_MS: u64 = 1000;
/// A request that takes longer than this is not one that is being served at once.
const SERVED_WITHIN_MS: u64 = 1000;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing: it may ask again.
    Idle,
    /// Its last words are said, and it has not closed.
    Leaving,
    /// Asking: its handshake, or the head of a request, is not complete.
    Asking,
    /// It has been answered and has not read all of it.
    Reading,
    /// A request is being answered.
    Served,
}

const PHASES: [Phase; 5] = [
    Phase::Idle,
    Phase::Leaving,
    Phase::Asking,
    Phase::Reading,
    Phase::Served,
];

/// How long each phase may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Between two requests.
    pub(super) idle: Duration,
    /// For the head of a request.
    pub(super) asking: Duration,
    /// For reading an answer.
    pub(super) reading: Duration,
}

/// What one connection is doing, since when, and whether it has to leave.
#[derive(Debug)]
pub(super) struct Activity {
    phase: AtomicU8,
    since_ms: AtomicU64,
    leave: CancellationToken,
}

impl Activity {
    fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Asking as u8),
            since_ms: AtomicU64::new(clock::since_start_ms()),
            leave: CancellationToken::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Relaxed)) % PHASES.len()]
    }

    /// Begins a phase, unless it is under way.
    pub(super) fn begin(&self, phase: Phase) {
        if self.phase.swap(phase as u8, Ordering::Relaxed) != phase as u8 {
            self.restart();
        }
    }

    /// Begins the phase that is under way anew.
    pub(super) fn restart(&self) {
        let now_ms = clock::since_start_ms();
        self.since_ms.store(now_ms, Ordering::Relaxed);
    }

    fn lasts_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms.load(Ordering::Relaxed))
    }

    /// How much longer its phase may last; `None` where somebody else sees to that.
    pub(super) fn left(&self, timeouts: &Timeouts) -> Option<Duration> {
        let most = match self.phase() {
            Phase::Idle => timeouts.idle,
            Phase::Asking => timeouts.asking,
            Phase::Reading => timeouts.reading,
            Phase::Leaving | Phase::Served => return None,
        };
        let lasts = Duration::from_millis(self.lasts_ms(clock::since_start_ms()));
        Some(most.saturating_sub(lasts))
    }

    /// Waits until it has to leave.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    idle: Duration,
    permits: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    looked_ms: u64,
    /// Those who were not asked to leave.
    staying: HashMap<u64, Arc<Activity>>,
}

impl Taken {
    /// Asks so many to leave, and beside them whoever has idled for longer.
    fn ask_to_leave(&mut self, wanted: usize, idle_ms: u64, now_ms: u64) {
        let staying = self.staying.iter();
        let mut others: Vec<_> = staying
            .map(|(number, activity)| (activity.phase(), activity.lasts_ms(now_ms), *number))
            .filter(|(phase, lasts_ms, _)| *phase != Phase::Served || *lasts_ms > SERVED_WITHIN_MS)
            .collect();
        others.sort_unstable_by_key(|(phase, lasts_ms, _)| (*phase, u64::MAX - lasts_ms));
        for (at, (phase, lasts_ms, number)) in others.into_iter().enumerate() {
            if at >= wanted && !(phase == Phase::Idle && lasts_ms > idle_ms) {
                return;
            }
            if let Some(activity) = self.staying.remove(&number) {
                activity.leave.cancel();
            }
        }
    }
}

/// One place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    _permit: OwnedSemaphorePermit,
    /// What its connection is doing.
    pub(super) activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().staying.remove(&self.number);
    }
}

impl Places {
    /// So many, for connections that idle for so long where there is room.
    pub(super) fn new(most: usize, idle: Duration) -> Arc<Self> {
        let most = most.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            most,
            idle,
            permits: Arc::new(Semaphore::new(most)),
            taken: Mutex::default(),
        })
    }

    /// A place for a newcomer, or nothing where all are being served.
    pub(super) async fn enter(self: &Arc<Self>) -> Option<Place> {
        self.make_room(clock::since_start_ms());
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(LEAVING, permit).await.ok()?.ok()?;
        let activity = Arc::new(Activity::new());
        let mut taken = self.lock();
        let number = taken.next;
        taken.next += 1;
        taken.staying.insert(number, Arc::clone(&activity));
        drop(taken);
        Some(Place {
            places: Arc::clone(self),
            number,
            _permit: permit,
            activity,
        })
    }

    /// Asks those to leave who have idled too long for how full it is, and others where it is
    /// nearly full.
    fn make_room(&self, now_ms: u64) {
        let mut taken = self.lock();
        let (staying, half, spare) = (taken.staying.len(), self.most / 2, self.most.div_ceil(16));
        // Twice what is needed, so that not every newcomer has to look for somebody.
        let crowd = staying + spare > self.most;
        let wanted = if crowd {
            staying + 2 * spare - self.most
        } else {
            0
        };
        let looked_ms = now_ms.saturating_sub(taken.looked_ms);
        if staying <= half || (!crowd && looked_ms < LOOK_EVERY_MS) {
            return;
        }
        taken.looked_ms = now_ms;
        let free = self.most.saturating_sub(staying) as f64 / half.max(1) as f64;
        let idle_ms = clock::millis(self.idle.mul_f64(free.min(1.0))).max(IDLE_LEAST_MS);
        taken.ask_to_leave(wanted, idle_ms, now_ms);
    }

    /// Asks some to leave because something else is short than places.
    pub(super) fn thin_out(&self) {
        let mut taken = self.lock();
        let some = taken.staying.len().div_ceil(4);
        taken.ask_to_leave(some, u64::MAX, clock::since_start_ms());
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    async fn filled(most: usize, phase: impl Fn(u64) -> Phase) -> (Arc<Places>, Vec<Place>) {
        let places = Places::new(most, MINUTE);
        let mut all = Vec::new();
        while all.len() < most {
            let place = places.enter().await.unwrap();
            place.activity.begin(Phase::Served);
            all.push(place);
        }
        let now_ms = clock::since_start_ms();
        for (place, at) in all.iter().zip(0_u64..) {
            place.activity.begin(phase(at));
            place
                .activity
                .since_ms
                .store(now_ms + at, Ordering::Relaxed);
        }
        (places, all)
    }

    fn left(all: &[Place]) -> Vec<usize> {
        let asked = |at: &usize| all[*at].activity.leave.is_cancelled();
        (0..all.len()).filter(asked).collect()
    }

    #[tokio::test]
    async fn the_idle_leave_first_and_those_who_are_served_stay() {
        let phases = [Phase::Served, Phase::Asking, Phase::Idle, Phase::Leaving];
        let (places, all) = filled(32, |at| phases[usize::try_from(at % 4).unwrap()]).await;
        places.make_room(clock::since_start_ms() + 500);
        assert_eq!(left(&all), [2, 6, 10, 14]);
        places.make_room(clock::since_start_ms());
        assert_eq!(left(&all), [2, 6, 10, 14], "enough are on their way");
    }

    #[tokio::test]
    async fn the_longest_idle_leave_first_and_the_fuller_it_is_the_sooner() {
        let (places, all) = filled(32, |_| Phase::Idle).await;
        let now_ms = clock::since_start_ms();
        for (at, place) in all.iter().enumerate() {
            let at = u64::try_from(at).unwrap();
            place
                .activity
                .since_ms
                .store(now_ms + at * 1000, Ordering::Relaxed);
        }
        let mut all = all;
        all.drain(24..);
        // Three quarters are taken: half a minute is too long.
        places.make_room(now_ms + 40_000);
        assert_eq!(left(&all), (0..10).collect::<Vec<_>>());
        all.drain(..10);
        places.make_room(now_ms + 400_000);
        assert_eq!(
            left(&all),
            [0_usize; 0],
            "less than half: as long as they like"
        );
    }

    #[tokio::test]
    async fn a_newcomer_gets_in_as_soon_as_somebody_left() {
        let (places, mut all) = filled(32, |_| Phase::Idle).await;
        let leaves = async {
            let first = left(&all)[0];
            all.remove(first).activity.asked_to_leave().await;
        };
        let (newcomer, ()) = tokio::join!(places.enter(), leaves);
        assert!(newcomer.is_some());
    }

    #[tokio::test]
    async fn where_all_are_served_the_newcomer_is_sent_away() {
        let (places, all) = filled(32, |_| Phase::Served).await;
        assert!(places.enter().await.is_none());
        assert_eq!(left(&all), [0_usize; 0]);
    }

    #[test]
    fn each_phase_has_its_time() {
        let timeouts = Timeouts {
            idle: MINUTE,
            asking: MINUTE / 2,
            reading: MINUTE / 4,
        };
        let activity = Activity::new();
        let within = |least: Duration, most: Duration| {
            let left = activity.left(&timeouts).unwrap();
            assert!(least < left && left <= most, "{left:?}");
        };
        within(MINUTE / 4, MINUTE / 2);
        activity.begin(Phase::Served);
        assert_eq!(activity.left(&timeouts), None);
        activity.begin(Phase::Reading);
        within(Duration::ZERO, MINUTE / 4);
        activity.begin(Phase::Idle);
        within(MINUTE / 2, MINUTE);
    }
}
