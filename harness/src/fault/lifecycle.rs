//! This module leads one fault through its life: wait, inject, confirm, wait, heal, confirm.
//!
//! **In:** a [`Fault`] and its times. **Out:** its stamps. Whatever goes wrong on the way, the fault
//! is healed; what went wrong first is the stamps' `problem`.
//!
//! **Units:** microseconds since load start.

use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::event::{FaultEvent, FaultMoment};
use super::readiness::{Change, Readiness};
use super::{Fault, FaultError};
use crate::clock::RunClock;
use crate::record::fault::{FaultBoard, FaultStamps};

/// Connections to the proxy are opened, and `/readyz` is watched, this long before.
const PREPARE_US: u64 = 1_000_000;
/// tokio's timers are up to 2 ms late: the rest is slept by the thread itself.
const TIMER_LATE_US: u64 = 4_000;
/// Between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(5);
/// Until a heal must have been acknowledged.
const HEAL_PATIENCE_US: u64 = 15_000_000;
/// Until a heal must have been confirmed: a Redis that reads its append-only file takes a while.
const WELL_PATIENCE_US: u64 = 20_000_000;
/// Until `/readyz` must be green again.
const GREEN_PATIENCE_US: u64 = 30_000_000;
const HEAL_PAUSE: Duration = Duration::from_millis(100);

/// Until every process of the load must know of a fault: longer than a machine that is busy takes.
const TOLD_PATIENCE: Duration = Duration::from_secs(1);
/// A fault that is over as soon as it is done is confirmed within this long.
const MOMENT_PATIENCE_US: u64 = 2_000_000;

/// What a fault is to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// An event with a beginning and an end.
    Window,
    /// Over as soon as it is done.
    Moment,
    /// A condition of the whole load: no message is counted as touched by it.
    Whole,
}

/// The times and the surroundings of one fault.
pub(super) struct Lifecycle {
    pub index: usize,
    pub at_us: u64,
    pub for_us: u64,
    pub extent: Extent,
    /// `None` where the fault lies on the way there.
    pub readyz_url: Option<String>,
    pub http: reqwest::Client,
    pub clock: RunClock,
    pub board: Arc<FaultBoard>,
    pub events: mpsc::Sender<FaultEvent>,
    pub cancel: CancellationToken,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Over,
    Cancelled,
}

impl Wait {
    fn is_cancelled(self) -> bool {
        self == Self::Cancelled
    }
}

impl Lifecycle {
    /// Leads `fault` through its life.
    pub(super) async fn lead(self, fault: &impl Fault) -> FaultStamps {
        let mut stamps = FaultStamps::default();
        if self
            .sleep_until(self.at_us.saturating_sub(PREPARE_US))
            .await
            .is_cancelled()
        {
            stamps.problem = Some("not injected: the run was ended before its time".to_owned());
            return stamps;
        }
        let readiness = Readiness::new();
        let stop = CancellationToken::new();
        let mut watching = JoinSet::new();
        watching.spawn(self.watch(&readiness, stop.clone()));
        self.go_through(fault, &readiness, &mut stamps).await;
        if let Some(injecting_us) = stamps.injecting_us {
            self.wait_for_green(&readiness, injecting_us).await;
            let verdict = readiness.verdict(injecting_us);
            stamps.readiness_watched = verdict.watched;
            stamps.readiness_red_us = verdict.red_us.filter(|_| verdict.watched);
            stamps.readiness_green_us = verdict.green_us.filter(|_| verdict.watched);
        }
        stop.cancel();
        while watching.join_next().await.is_some() {}
        stamps
    }

    async fn go_through(
        &self,
        fault: &impl Fault,
        readiness: &Readiness,
        stamps: &mut FaultStamps,
    ) {
        // Who may meet the fault in another process must know of it by then.
        let announced = async {
            if self.extent != Extent::Whole {
                self.board.begin(self.index, self.at_us);
                self.board.told(TOLD_PATIENCE).await;
            }
        };
        let (prepared, ()) = tokio::join!(fault.prepare(), announced);
        let due_us = self.at_us.max(self.clock.now_us());
        if self.sleep_precisely_until(self.at_us).await.is_cancelled() {
            self.board.begin(self.index, u64::MAX);
            stamps.problem = Some("not injected: the run was ended before its time".to_owned());
            return;
        }
        // Nothing is done from here to the injection but sleeping and waking up; a slow proxy API
        // is not the machine's doing.
        stamps.machine_pause_us = self.clock.now_us().saturating_sub(due_us);
        if let Err(error) = prepared {
            self.board.begin(self.index, u64::MAX);
            self.complain(stamps, format!("not injected: {error}"));
            return;
        }
        self.inject(fault, stamps).await;
        let end_us = self.at_us.saturating_add(self.for_us);
        if stamps.injected_us.is_some() && self.extent == Extent::Moment {
            let patience_us = self.clock.now_us().saturating_add(MOMENT_PATIENCE_US);
            self.confirm(fault, stamps, patience_us).await;
        } else if stamps.injected_us.is_some() {
            self.confirm(fault, stamps, end_us).await;
            // Cancelled or over: either way it is healed now.
            self.sleep_precisely_until(end_us).await;
        }
        self.heal(fault, stamps).await;
        self.confirm_heal(fault, stamps).await;
        tracing::debug!(fault = self.index, ?stamps, ?readiness, "fault is over");
    }

    async fn inject(&self, fault: &impl Fault, stamps: &mut FaultStamps) {
        let begin_us = self.stamp(&mut stamps.injecting_us, FaultMoment::Injecting);
        if self.extent != Extent::Whole {
            self.board.begin(self.index, begin_us);
        }
        match fault.inject().await {
            Ok(()) => {
                self.stamp(&mut stamps.injected_us, FaultMoment::Injected);
            }
            Err(error) => self.complain(stamps, format!("not injected: {error}")),
        }
    }

    async fn confirm(&self, fault: &impl Fault, stamps: &mut FaultStamps, end_us: u64) {
        loop {
            let probe = async {
                tokio::select! {
                    met = fault.is_met() => met,
                    () = tokio::time::sleep(self.clock.until(end_us)) => Err("no word before its end".to_owned()),
                    () = self.cancel.cancelled() => Err("the run was ended".to_owned()),
                }
            };
            let saw = match probe.await {
                Ok(()) => {
                    self.stamp(&mut stamps.confirmed_us, FaultMoment::Confirmed);
                    return;
                }
                Err(saw) => saw,
            };
            if self.cancel.is_cancelled() || self.clock.now_us() >= end_us {
                self.complain(
                    stamps,
                    format!("met by no probe while it was in force: {saw}"),
                );
                return;
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    async fn heal(&self, fault: &impl Fault, stamps: &mut FaultStamps) {
        let start_us = self.stamp(&mut stamps.healing_us, FaultMoment::Healing);
        loop {
            let error: FaultError = match fault.heal().await {
                Ok(()) => {
                    self.stamp(&mut stamps.healed_us, FaultMoment::Healed);
                    return;
                }
                Err(error) => error,
            };
            if self.clock.now_us() > start_us.saturating_add(HEAL_PATIENCE_US) {
                self.complain(stamps, format!("not healed: {error}"));
                return;
            }
            tokio::time::sleep(HEAL_PAUSE).await;
        }
    }

    async fn confirm_heal(&self, fault: &impl Fault, stamps: &mut FaultStamps) {
        let start_us = self.clock.now_us();
        loop {
            let saw = match fault.is_well().await {
                Ok(()) => {
                    let end_us =
                        self.stamp(&mut stamps.heal_confirmed_us, FaultMoment::HealConfirmed);
                    self.board.end(self.index, end_us);
                    self.board.told(TOLD_PATIENCE).await;
                    return;
                }
                Err(saw) => saw,
            };
            if self.clock.now_us() > start_us.saturating_add(WELL_PATIENCE_US) {
                self.complain(stamps, format!("no probe found it healed: {saw}"));
                return;
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    async fn wait_for_green(&self, readiness: &Readiness, injecting_us: u64) {
        let start_us = self.clock.now_us();
        while !readiness.is_settled(injecting_us)
            && !self.cancel.is_cancelled()
            && self.clock.now_us() < start_us.saturating_add(GREEN_PATIENCE_US)
        {
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    /// The watcher, without a borrow of `self`: it outlives no fault, but the compiler cannot know.
    fn watch(
        &self,
        readiness: &Readiness,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let (events, fault) = (self.events.clone(), self.index);
        let tell = move |change: Change| {
            let moment = if change.green {
                FaultMoment::ReadinessGreen
            } else {
                FaultMoment::ReadinessRed
            };
            tell(&events, fault, change.at_us, moment);
        };
        let (readiness, url, clock) = (readiness.clone(), self.readyz_url.clone(), self.clock);
        let http = self.http.clone();
        async move {
            if let Some(url) = url {
                readiness.watch((url, http), clock, stop, tell).await;
            }
        }
    }

    /// Writes the moment down, unless an earlier one stands there, and tells it.
    fn stamp(&self, slot: &mut Option<u64>, moment: FaultMoment) -> u64 {
        let now_us = self.clock.now_us();
        tell(&self.events, self.index, now_us, moment);
        *slot.get_or_insert(now_us)
    }

    /// The first problem is the one that explains the others.
    fn complain(&self, stamps: &mut FaultStamps, problem: String) {
        let moment = FaultMoment::Problem(problem.clone());
        tell(&self.events, self.index, self.clock.now_us(), moment);
        stamps.problem.get_or_insert(problem);
    }

    async fn sleep_until(&self, us: u64) -> Wait {
        tokio::select! {
            () = self.cancel.cancelled() => Wait::Cancelled,
            () = tokio::time::sleep(self.clock.until(us)) => Wait::Over,
        }
    }

    /// Ends within the kernel's own precision of the moment. The last milliseconds are slept by
    /// this thread, which runs nothing but faults.
    async fn sleep_precisely_until(&self, us: u64) -> Wait {
        let ended = self.sleep_until(us.saturating_sub(TIMER_LATE_US)).await;
        if !ended.is_cancelled() {
            let target = Duration::from_nanos(self.clock.monotonic_ns_at(us)).into();
            let flags = ClockNanosleepFlags::TIMER_ABSTIME;
            // A signal may cut it short, by milliseconds: not worth a repetition.
            if let Err(error) = clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &target) {
                tracing::debug!(%error, "the sleep before a fault was cut short");
            }
        }
        ended
    }
}

/// Tries to tell the live view; a full queue means that it is slow, and it misses this line.
fn tell(events: &mpsc::Sender<FaultEvent>, fault: usize, at_us: u64, moment: FaultMoment) {
    let event = FaultEvent {
        fault,
        at_us,
        moment,
    };
    if let Err(error) = events.try_send(event) {
        tracing::debug!(%error, "the live view misses a fault event");
    }
}
