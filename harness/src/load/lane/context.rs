//! This module is what a lane lends to its clients: the run, the recorder, the timer, the clock.
//!
//! **Units:** microseconds since load start; `*_ns` nanoseconds on the monotonic clock.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use super::notebook::Notebook;
use crate::clock::{monotonic_ns, wall_ns};
use crate::load::job::Job;
use crate::load::pacing::{Pacer, Tick};
use crate::plan::visit::Visit;
use crate::record::ledger::Finding;
use crate::record::recorder::Recorder;

/// One lane, without its clients.
#[derive(Debug)]
pub(in crate::load) struct LaneContext {
    job: Arc<Job>,
    pub(super) pacer: Pacer,
    notebook: Notebook,
    /// Sockets that wait for `connected`.
    opening: Cell<usize>,
    cancelled: Cell<bool>,
    /// Wall clock minus monotonic clock: carries kernel stamps over.
    wall_offset_ns: Cell<u64>,
    /// Attempts put on a socket since the lane began.
    sent: Cell<u64>,
}

impl LaneContext {
    pub(super) fn new(job: Arc<Job>, index: u16, notebook: Notebook) -> Result<Self, io::Error> {
        // Ticks of all lanes, those of other processes too, are spread, or all of them would send at once.
        let own = u64::from(job.load.lanes.max(1));
        let before = own * u64::from(job.cut.index) + u64::from(index);
        let lanes = own * u64::from(job.cut.count.max(1));
        let tick = job.tick_us.map(|every_us| Tick {
            every_ns: every_us * 1_000,
            offset_ns: every_us * 1_000 * before / lanes,
        });
        let pacer = Pacer::new(tick)?;
        Ok(Self {
            job,
            pacer,
            notebook,
            opening: Cell::new(0),
            cancelled: Cell::new(false),
            wall_offset_ns: Cell::new(0),
            sent: Cell::new(0),
        })
    }

    pub(super) fn is_opening(&self) -> bool {
        self.opening.get() > 0
    }

    pub(super) fn cancel(&self) {
        self.cancelled.set(true);
    }

    pub(in crate::load) fn job(&self) -> &Job {
        &self.job
    }

    /// The lane's pen, for one line or a few: nobody else may have it meanwhile.
    pub(in crate::load) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.notebook.open()
    }

    pub(in crate::load) fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    pub(in crate::load) fn opening(&self, change: isize) {
        self.opening
            .set(self.opening.get().saturating_add_signed(change));
    }

    pub(in crate::load) fn reconnecting(&self, change: i64) {
        let gauge = &self.job.counters.reconnecting;
        if change >= 0 {
            gauge.fetch_add(change.unsigned_abs(), Ordering::Relaxed);
        } else {
            gauge.fetch_sub(change.unsigned_abs(), Ordering::Relaxed);
        }
    }

    pub(in crate::load) fn unavailable(&self) {
        let counter: &AtomicU64 = &self.job.counters.unavailable;
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::load) fn sent(&self) {
        self.sent.set(self.sent.get() + 1);
    }

    pub(in crate::load) fn sent_so_far(&self) -> u64 {
        self.sent.get()
    }

    /// Asks the pacer to call that client.
    pub(in crate::load) fn call_at(&self, at_ns: u64, visit: &Visit) {
        if self.pacer.at(at_ns, visit.place).is_err() {
            // Only a broken kernel refuses to set a timer; the housekeeping finds the client.
            tracing::error!("the lane's timer could not be set");
        }
    }

    /// A text frame was read: when its bytes came, on the run's clock. What comes with the answer to the upgrade
    /// has no stamp of its own; of what comes on an open socket, that is a flaw.
    pub(in crate::load) fn received(&self, stamp_ns: u64, now_ns: u64, open: bool) -> u64 {
        let mut recorder = self.recorder();
        let recording = recorder.recording_mut();
        recording.frames_received += 1;
        if stamp_ns == 0 {
            recording.frames_unstamped += u64::from(open);
            return self.job.clock.at_us(now_ns);
        }
        let came_ns = stamp_ns
            .saturating_sub(self.wall_offset_ns.get())
            .min(now_ns);
        recording.receive_lag.record((now_ns - came_ns) / 1_000);
        self.job.clock.at_us(came_ns)
    }

    /// A frame was about a message of another client, who shares the conversation.
    pub(in crate::load) fn heard_other(&self) {
        self.recorder().recording_mut().frames_of_others += 1;
    }

    /// In a conversation that several share, an answer to none of a client's own messages is another's.
    pub(in crate::load) fn of_answer(&self, finding: Finding) -> Finding {
        match finding {
            Finding::Unexpected if self.job.hears_others() => {
                self.heard_other();
                Finding::Fine
            }
            finding => finding,
        }
    }

    pub(in crate::load) fn received_other(&self) {
        let mut recorder = self.recorder();
        recorder.recording_mut().frames_received += 1;
    }

    /// Where the wall clock stands against the monotonic one. Asked again and again, so that a
    /// clock that is being slewed does not pull receive stamps away.
    pub(in crate::load) fn set_wall_offset(&self) {
        let before_ns = monotonic_ns();
        let wall_ns = wall_ns();
        let middle_ns = before_ns + (monotonic_ns() - before_ns) / 2;
        self.wall_offset_ns.set(wall_ns.saturating_sub(middle_ns));
    }
}
