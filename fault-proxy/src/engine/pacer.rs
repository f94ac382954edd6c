//! Wakes connections when their toxics want to act: at that moment, not at the next whole millisecond.
//!
//! **In:** moments that connections wait for. **Out:** each is woken once its moment has come; never
//! before, and tens of microseconds after it on a machine that has room.
//!
//! tokio's own timers round up to a millisecond. Here one timer of the kernel serves all connections
//! of a server: it is set to the earliest moment, and a connection that waits for nothing costs
//! nothing. Where the kernel gives no timer (no file is left), tokio's serves.
//!
//! **Source:** `timerfd_create(2)`.

use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinSet,
    time::{Instant, Sleep, sleep_until},
};

/// What a waiting connection is found by.
type Place = (Instant, u64);

/// The timer of one server, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    waiting: Arc<Mutex<Waiting>>,
    driver: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_time: BTreeMap<Place, Waker>,
    entered: u64,
    /// Absent until a proxy has run, and where the kernel has none to give.
    timer: Option<Arc<Timer>>,
    /// What the timer is set to.
    armed: Option<Instant>,
}

impl Pacer {
    /// Gets the timer, unless it is there. Must be called within a runtime.
    pub(super) fn start(&self) {
        let mut waiting = lock(&self.waiting);
        if waiting.timer.is_some() {
            return;
        }
        match Timer::new() {
            Ok(timer) => {
                let timer = Arc::new(timer);
                waiting.timer = Some(Arc::clone(&timer));
                lock(&self.driver).spawn(drive(timer, Arc::clone(&self.waiting)));
            }
            Err(error) => tracing::warn!(%error, "no timer: toxics act up to 2 ms late"),
        }
    }

    /// Gives the timer back.
    pub(super) async fn stop(&self) {
        let mut due = Vec::new();
        lock(&self.waiting).give_up(&mut due);
        due.into_iter().for_each(Waker::wake);
        let mut driver = std::mem::take(&mut *lock(&self.driver));
        driver.shutdown().await;
    }

    /// Waits until then.
    pub(super) async fn at(self: &Arc<Self>, due: Instant) {
        let mut alarm = Alarm::new(self);
        std::future::poll_fn(|cx| alarm.poll(cx, due)).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    /// `None` where there is no timer to be woken by.
    fn enter(&mut self, due: Instant, waker: Waker) -> Option<Place> {
        self.timer.as_ref()?;
        self.entered += 1;
        let place = (due, self.entered);
        self.by_time.insert(place, waker);
        if self.armed.is_none_or(|armed| due < armed) {
            self.arm(due);
        }
        Some(place)
    }

    fn arm(&mut self, due: Instant) {
        let Some(timer) = &self.timer else { return };
        match timer.set(due) {
            Ok(()) => self.armed = Some(due),
            Err(error) => tracing::error!(%error, "the timer cannot be set"),
        }
    }

    /// Takes out those whose moment has come, and sets the timer to the next one.
    fn take_due(&mut self, due: &mut Vec<Waker>) {
        self.armed = None;
        let now = Instant::now();
        while let Some(first) = self.by_time.first_entry() {
            if first.key().0 > now {
                let next = first.key().0;
                return self.arm(next);
            }
            due.push(first.remove());
        }
    }

    /// Takes everybody out, to wait elsewhere.
    fn give_up(&mut self, due: &mut Vec<Waker>) {
        self.timer = None;
        self.armed = None;
        due.extend(std::mem::take(&mut self.by_time).into_values());
    }
}

/// Wakes whom the timer rings for, until it is given back.
async fn drive(timer: Arc<Timer>, waiting: Arc<Mutex<Waiting>>) {
    let mut due = Vec::new();
    loop {
        let failed = timer.rings().await;
        match &failed {
            Ok(()) => lock(&waiting).take_due(&mut due),
            Err(error) => {
                tracing::error!(%error, "the timer has failed: toxics act up to 2 ms late");
                lock(&waiting).give_up(&mut due);
            }
        }
        due.drain(..).for_each(Waker::wake);
        if failed.is_err() {
            return;
        }
    }
}

/// One connection's wait for the earliest moment that any of its toxics wants. Polled by one task only.
#[derive(Debug)]
pub(super) struct Alarm {
    pacer: Arc<Pacer>,
    place: Option<Place>,
    /// tokio's timer, where there is no other.
    rough: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(super) fn new(pacer: &Arc<Pacer>) -> Self {
        Self {
            pacer: Arc::clone(pacer),
            place: None,
            rough: None,
        }
    }

    /// Ready once `due` has come, which may be another one with each call. The task may be woken
    /// earlier: whoever waits for later moments again and again is entered only once in a while.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let now = Instant::now();
        if due <= now {
            return Poll::Ready(());
        }
        let mut waiting = lock(&self.pacer.waiting);
        let is_entered = |(at, _): Place| now < at && at <= due && waiting.timer.is_some();
        if self.place.is_some_and(is_entered) {
            return Poll::Pending;
        }
        if let Some(place) = self.place.take() {
            waiting.by_time.remove(&place);
        }
        self.place = waiting.enter(due, cx.waker().clone());
        drop(waiting);
        if self.place.is_some() {
            return Poll::Pending;
        }
        let rough = self.rough.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if rough.deadline() != due {
            rough.as_mut().reset(due);
        }
        rough.as_mut().poll(cx)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            lock(&self.pacer.waiting).by_time.remove(&place);
        }
    }
}

#[derive(Debug)]
struct Timer(AsyncFd<RawTimer>);

#[derive(Debug)]
struct RawTimer(TimerFd);

impl AsRawFd for RawTimer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; this descriptor is owned, and open as long as the timer"
        )]
        let timer = AsyncFd::with_interest(RawTimer(timer), Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Counted from now, which can only make it later.
    fn set(&self, due: Instant) -> io::Result<()> {
        // Zero would disarm it.
        let wait = due
            .duration_since(Instant::now())
            .max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        self.0
            .get_ref()
            .0
            .set(expiration, TimerSetTimeFlags::empty())?;
        Ok(())
    }

    async fn rings(&self) -> io::Result<()> {
        // Setting it again resets it, so the count of expirations is never read.
        let mut guard = self.0.readable().await?;
        guard.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const MS: Duration = Duration::from_millis(1);
    const DEADLINE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn each_wakes_at_its_moment_and_none_before_it() {
        for exact in [true, false] {
            let pacer = Arc::new(Pacer::default());
            if exact {
                pacer.start();
            }
            let start = Instant::now();
            let mut all = JoinSet::new();
            for number in (0..200_u32).rev() {
                let pacer = Arc::clone(&pacer);
                all.spawn(async move {
                    let due = start + MS / 10 * number;
                    pacer.at(due).await;
                    assert!(Instant::now() >= due, "{number} was woken early");
                });
            }
            while let Some(woken) = timeout(DEADLINE, all.join_next()).await.unwrap() {
                woken.unwrap();
            }
            assert!(lock(&pacer.waiting).by_time.is_empty());
            pacer.stop().await;
        }
    }

    #[tokio::test]
    async fn an_alarm_follows_what_it_waits_for_and_leaves_nothing_behind() {
        let pacer = Arc::new(Pacer::default());
        pacer.start();
        let mut alarm = Alarm::new(&pacer);
        let start = Instant::now();
        let mut dues = [3_600_000, 7_200_000, 30]
            .map(|ms| start + MS * ms)
            .into_iter();
        let mut due = dues.next().unwrap();
        let waited = std::future::poll_fn(|cx| {
            let ready = alarm.poll(cx, due);
            if let Some(next) = dues.next() {
                due = next;
                cx.waker().wake_by_ref();
            }
            ready
        });
        timeout(DEADLINE, waited).await.unwrap();
        assert!(start.elapsed() >= 30 * MS);
        let far = start + DEADLINE * 60;
        let never = timeout(MS, std::future::poll_fn(|cx| alarm.poll(cx, far)));
        assert!(never.await.is_err());
        assert_eq!(lock(&pacer.waiting).by_time.len(), 1);
        drop(alarm);
        assert!(lock(&pacer.waiting).by_time.is_empty());
        pacer.stop().await;
    }
}
