//! This module is a session thread: thousands of clients on one core, one pacer, one notebook.
//!
//! **In:** [`Command`]s of goose users, frames, moments. **Out:** a [`Recording`] at the end.
//!
//! Everything here lives on one thread, so clients are plain `Rc<RefCell<_>>`: a client is borrowed
//! for one turn and never across a wait.
//!
//! **Units:** microseconds since load start; `*_ns` nanoseconds on the monotonic clock.

mod housekeeping;
mod notebook;
mod thread;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};

use tokio::task::JoinSet;

use self::notebook::Notebook;
pub(super) use self::thread::{LaneError, LaneHandle};
use super::client::Client;
use super::connecting::{CONNECTORS_MAX, connector, turn_away};
use super::job::{Command, Job, OpenRequest, SessionEnd, answer};
use super::pacing::Pacer;
use crate::client::connector::Opened;
use crate::client::socket::ChatSocket;
use crate::clock::monotonic_ns;
use crate::failure::Failure;
use crate::plan::Arrival;
use crate::plan::visit::Visit;
use crate::record::recorder::Recorder;
use crate::record::recording::Recording;

/// Messages per second from which on frames may wait for the next millisecond: below, sleeping in
/// `epoll` wakes less often.
const LAZY_SENDS_PER_S: u64 = 500;
/// Calls answered before sessions have their turn.
const CALLS_PER_TURN: usize = 32;

/// Sockets that clients may forget; more are closed.
const STRAYS_MAX: usize = 10_000;

/// A lane, as its tasks share it.
#[derive(Debug)]
pub(super) struct Lane {
    job: Arc<Job>,
    index: u16,
    pacer: Pacer,
    notebook: Notebook,
    /// By [`Lane::slot`]. A client is there from its first session on.
    clients: RefCell<Vec<Option<Rc<RefCell<Client>>>>>,
    /// Sessions that wait for a connector. At most one per client.
    requests: RefCell<VecDeque<OpenRequest>>,
    tasks: RefCell<JoinSet<()>>,
    connectors: Cell<usize>,
    /// Sockets that wait for `connected`.
    opening: Cell<usize>,
    cancelled: Cell<bool>,
    /// Sockets that clients opened and forgot; open until the lane ends.
    strays: RefCell<Vec<ChatSocket>>,
    /// Wall clock minus monotonic clock: carries kernel stamps over.
    wall_offset_ns: Cell<u64>,
    /// Attempts put on a socket since the lane began, and of late per second.
    sent: Cell<u64>,
    sent_per_s: Cell<u64>,
}

impl Lane {
    fn new(job: Arc<Job>, index: u16, notebook: Notebook) -> Result<Self, io::Error> {
        let lanes = usize::from(job.load.lanes.max(1));
        let slots = job.visits.len().div_ceil(lanes);
        Ok(Self {
            job,
            index,
            pacer: Pacer::new()?,
            notebook,
            clients: RefCell::new(vec![None; slots]),
            requests: RefCell::default(),
            tasks: RefCell::default(),
            connectors: Cell::new(0),
            opening: Cell::new(0),
            cancelled: Cell::new(false),
            strays: RefCell::new(Vec::new()),
            wall_offset_ns: Cell::new(0),
            sent: Cell::new(0),
            sent_per_s: Cell::new(0),
        })
    }

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    /// The lane's pen, for one line or a few: nobody else may have it meanwhile.
    pub(super) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.notebook.open()
    }

    pub(super) fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Place of a stay on its lane.
    fn slot(&self, number: u32) -> u32 {
        number / u32::from(self.job.load.lanes.max(1))
    }

    fn client(&self, number: u32) -> Option<Rc<RefCell<Client>>> {
        let clients = self.clients.borrow();
        clients.get(self.slot(number) as usize)?.clone()
    }

    fn client_or_new(&self, number: u32) -> Option<Rc<RefCell<Client>>> {
        let visit = *self.job.visits.get(number as usize)?;
        let mut clients = self.clients.borrow_mut();
        let place = clients.get_mut(self.slot(number) as usize)?;
        let new = || Rc::new(RefCell::new(Client::new(&self.job, visit)));
        Some(Rc::clone(place.get_or_insert_with(new)))
    }

    fn command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Left { number } => {
                if let Some(client) = self.client(number) {
                    client.borrow_mut().left(self);
                }
            }
            Command::Open(request) => self.open(*request),
        }
    }

    fn open(self: &Rc<Self>, request: OpenRequest) {
        let Some(client) = self.client_or_new(request.number) else {
            return turn_away(request);
        };
        let now_us = self.job.clock.now_us();
        let over = client.borrow().over(&self.job, now_us);
        if over {
            client.borrow_mut().settle(self, now_us);
        }
        if over || self.cancelled() {
            return turn_away(request);
        }
        self.requests.borrow_mut().push_back(request);
        if self.connectors.get() < CONNECTORS_MAX {
            self.connectors.set(self.connectors.get() + 1);
            let task = connector(Rc::clone(self));
            self.tasks.borrow_mut().spawn_local(task);
        }
    }

    pub(super) fn next_request(&self) -> Option<OpenRequest> {
        self.requests.borrow_mut().pop_front()
    }

    pub(super) fn connector_done(&self) {
        self.connectors.set(self.connectors.get().saturating_sub(1));
    }

    pub(super) fn connect_failed(
        &self,
        request: OpenRequest,
        failure: Failure,
        retry_after_us: u64,
    ) {
        let at_us = self.job.clock.now_us();
        if self.cancelled() {
            return turn_away(request);
        }
        let client = self.client(request.number);
        let idle = client.is_some_and(|client| client.borrow().idle(at_us));
        let end = SessionEnd::Failed {
            failure,
            at_us,
            retry_after_us,
            idle,
        };
        answer(request.reply, end);
    }

    /// Keeps a socket that its client forgot, as long as there is room.
    pub(super) fn forget(&self, opened: Option<Opened>) {
        let mut strays = self.strays.borrow_mut();
        if let (Some(opened), true) = (opened, strays.len() < STRAYS_MAX) {
            strays.push(opened.socket);
        }
    }

    /// Gives a client its upgraded socket and starts to read it.
    pub(super) fn install(lane: &Rc<Self>, request: OpenRequest, socket: ChatSocket) {
        let Some(client) = lane.client(request.number) else {
            return turn_away(request);
        };
        lane.opening(1);
        let generation = {
            let mut client = client.borrow_mut();
            let generation = client.connect(request, socket);
            client.upgraded(lane);
            client.turn(lane, lane.job.clock.now_us());
            generation
        };
        let task = session(Rc::clone(lane), client, generation);
        lane.tasks.borrow_mut().spawn_local(task);
    }

    pub(super) fn opening(&self, change: isize) {
        self.opening
            .set(self.opening.get().saturating_add_signed(change));
    }

    pub(super) fn reconnecting(&self, change: i64) {
        let gauge = &self.job.counters.reconnecting;
        if change >= 0 {
            gauge.fetch_add(change.unsigned_abs(), Ordering::Relaxed);
        } else {
            gauge.fetch_sub(change.unsigned_abs(), Ordering::Relaxed);
        }
    }

    pub(super) fn unavailable(&self) {
        let counter: &AtomicU64 = &self.job.counters.unavailable;
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) {
        self.sent.set(self.sent.get() + 1);
    }

    /// Asks the pacer to call that client.
    pub(super) fn call_at(&self, at_ns: u64, visit: &Visit) {
        if self.pacer.at(at_ns, visit.number).is_err() {
            // Only a broken kernel refuses to set a timer; the housekeeping finds the client.
            tracing::error!("the lane's timer could not be set");
        }
    }

    /// A text frame was read: when its bytes came, on the run's clock. What comes with the answer to the upgrade
    /// has no stamp of its own; of what comes on an open socket, that is a flaw.
    pub(super) fn received(&self, stamp_ns: u64, now_ns: u64, open: bool) -> u64 {
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

    pub(super) fn received_other(&self) {
        let mut recorder = self.recorder();
        recorder.recording_mut().frames_received += 1;
    }

    /// Calls every client whose moment has come.
    async fn pace(&self) -> Result<(), io::Error> {
        loop {
            let mut calls = 0;
            while let Some((at_ns, number)) = self.pacer.take_due(monotonic_ns()) {
                self.call(at_ns, number);
                calls += 1;
                if calls % CALLS_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            if self.may_doze() {
                self.pacer.doze().await;
            } else {
                self.pacer.wait().await?;
            }
        }
    }

    fn call(&self, at_ns: u64, number: u32) {
        if let Some(client) = self.client(number) {
            let mut client = client.borrow_mut();
            if client.takes_call(at_ns) {
                client.turn(self, self.job.clock.now_us());
            }
        }
    }

    /// Nothing depends on reading a frame at once.
    fn may_doze(&self) -> bool {
        self.connectors.get() == 0
            && self.opening.get() == 0
            && self.sent_per_s.get() >= LAZY_SENDS_PER_S
            && self.job.load.message.arrival != Arrival::Closed
    }

    /// Everything ends now: sockets are closed, what waits is turned away.
    fn cancel(&self) {
        self.cancelled.set(true);
        for request in self.requests.borrow_mut().drain(..) {
            turn_away(request);
        }
        let now_us = self.job.clock.now_us();
        for client in self.present() {
            client.borrow_mut().turn(self, now_us);
        }
    }

    fn present(&self) -> Vec<Rc<RefCell<Client>>> {
        self.clients.borrow().iter().flatten().cloned().collect()
    }

    /// Settles every stay of this lane, begun or not, and gives the notebook away.
    fn finish(&self, end_us: u64) -> Recording {
        let lanes = usize::from(self.job.load.lanes.max(1));
        let numbers = (0..self.job.visits.len()).skip(usize::from(self.index));
        for number in numbers.step_by(lanes) {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            if let Some(client) = self.client_or_new(number) {
                client.borrow_mut().settle(self, end_us);
            }
            if let Some(place) = (self.clients.borrow_mut()).get_mut(self.slot(number) as usize) {
                *place = None;
            }
        }
        self.recorder().take()
    }
}

/// Reads one socket until it is gone.
async fn session(lane: Rc<Lane>, client: Rc<RefCell<Client>>, generation: u32) {
    let read =
        |cx: &mut Context<'_>| -> Poll<()> { client.borrow_mut().read(&lane, generation, cx) };
    std::future::poll_fn(read).await;
}
