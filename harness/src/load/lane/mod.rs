//! This module is a session thread: thousands of clients on one core, one pacer, one notebook.
//!
//! **In:** [`Command`]s of goose users, frames, moments. **Out:** a [`Recording`] at the end.
//!
//! Everything here lives on one thread, so clients are plain `Rc<RefCell<_>>`: a client is borrowed
//! for one turn and never across a wait.
//!
//! **Units:** microseconds since load start; `*_ns` nanoseconds on the monotonic clock.

mod context;
mod housekeeping;
mod notebook;
mod thread;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinSet;

pub(super) use self::context::LaneContext;
use self::notebook::Notebook;
pub(super) use self::thread::{LaneError, LaneHandle};
use super::client::Client;
use super::connecting::connected;
use super::job::{Command, Job, OpenRequest, SessionEnd, answer, turn_away};
use crate::client::connector::Opened;
use crate::client::socket::ChatSocket;
use crate::clock::monotonic_ns;
use crate::failure::Failure;
use crate::plan::Arrival;
use crate::record::recording::Recording;

/// Messages per second from which on frames may wait for the next millisecond: below, sleeping in
/// `epoll` wakes less often.
const LAZY_SENDS_PER_S: u64 = 500;
/// Calls answered before sessions have their turn.
const CALLS_PER_TURN: usize = 32;

/// Connects under way at once, per lane: enough that a target which hangs does not make those who
/// come after it wait for the harness.
const CONNECTORS_MAX: usize = 1_024;
/// Sockets that clients may forget; more are closed.
const STRAYS_MAX: usize = 10_000;

/// A lane, as its tasks share it.
#[derive(Debug)]
pub(super) struct Lane {
    context: LaneContext,
    index: u16,
    /// By [`Lane::slot`]. A client is there from its first session on.
    clients: RefCell<Vec<Option<Rc<RefCell<Client>>>>>,
    /// Sessions that wait for a connector. At most one per client.
    requests: RefCell<VecDeque<OpenRequest>>,
    tasks: RefCell<JoinSet<()>>,
    connectors: Cell<usize>,
    /// Sockets that clients opened and forgot; open until the lane ends.
    strays: RefCell<Vec<ChatSocket>>,
    /// Attempts put on a socket of late.
    sent_per_s: Cell<u64>,
}

impl Lane {
    fn new(job: Arc<Job>, index: u16, notebook: Notebook) -> Result<Self, io::Error> {
        let lanes = usize::from(job.load.lanes.max(1));
        let slots = job.visits.len().div_ceil(lanes);
        Ok(Self {
            context: LaneContext::new(job, index, notebook)?,
            index,
            clients: RefCell::new(vec![None; slots]),
            requests: RefCell::default(),
            tasks: RefCell::default(),
            connectors: Cell::new(0),
            strays: RefCell::new(Vec::new()),
            sent_per_s: Cell::new(0),
        })
    }

    fn job(&self) -> &Job {
        self.context.job()
    }

    /// Place of a stay on its lane.
    fn slot(&self, place: u32) -> u32 {
        place / u32::from(self.job().load.lanes.max(1))
    }

    fn client(&self, place: u32) -> Option<Rc<RefCell<Client>>> {
        let clients = self.clients.borrow();
        clients.get(self.slot(place) as usize)?.clone()
    }

    fn client_or_new(&self, place: u32) -> Option<Rc<RefCell<Client>>> {
        let visit = *self.job().visits.get(place as usize)?;
        let mut clients = self.clients.borrow_mut();
        let slot = clients.get_mut(self.slot(place) as usize)?;
        let new = || Rc::new(RefCell::new(Client::new(self.job(), visit)));
        Some(Rc::clone(slot.get_or_insert_with(new)))
    }

    fn command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Left { place } => {
                if let Some(client) = self.client(place) {
                    client.borrow_mut().left(&self.context);
                }
            }
            Command::Open(request) => self.open(*request),
        }
    }

    fn open(self: &Rc<Self>, request: OpenRequest) {
        let Some(client) = self.client_or_new(request.place) else {
            return turn_away(request);
        };
        let now_us = self.job().clock.now_us();
        let over = client.borrow().over(self.job(), now_us);
        if over {
            client.borrow_mut().settle(&self.context, now_us);
        }
        if over || self.context.cancelled() {
            return turn_away(request);
        }
        self.requests.borrow_mut().push_back(request);
        if self.connectors.get() < CONNECTORS_MAX {
            self.connectors.set(self.connectors.get() + 1);
            let task = connector(Rc::clone(self));
            self.tasks.borrow_mut().spawn_local(task);
        }
    }

    fn next_request(&self) -> Option<OpenRequest> {
        self.requests.borrow_mut().pop_front()
    }

    fn connector_done(&self) {
        self.connectors.set(self.connectors.get().saturating_sub(1));
    }

    fn connect_failed(&self, request: OpenRequest, failure: Failure, retry_after_us: u64) {
        let at_us = self.job().clock.now_us();
        if self.context.cancelled() {
            return turn_away(request);
        }
        let client = self.client(request.place);
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
    fn forget(&self, opened: Option<Opened>) {
        let mut strays = self.strays.borrow_mut();
        if let (Some(opened), true) = (opened, strays.len() < STRAYS_MAX) {
            strays.push(opened.socket);
        }
    }

    /// Gives a client its upgraded socket and starts to read it.
    fn install(lane: &Rc<Self>, request: OpenRequest, socket: ChatSocket) {
        let Some(client) = lane.client(request.place) else {
            return turn_away(request);
        };
        lane.context.opening(1);
        let generation = {
            let mut client = client.borrow_mut();
            let generation = client.connect(lane.job(), request, socket);
            client.upgraded(&lane.context);
            client.turn(&lane.context, lane.job().clock.now_us());
            generation
        };
        let task = session(Rc::clone(lane), client, generation);
        lane.tasks.borrow_mut().spawn_local(task);
    }

    /// Calls every client whose moment has come.
    async fn pace(&self) -> Result<(), io::Error> {
        loop {
            let mut calls = 0;
            while let Some((at_ns, place)) = self.context.pacer.take_due(monotonic_ns()) {
                self.call(at_ns, place);
                calls += 1;
                if calls % CALLS_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            if self.may_doze() {
                self.context.pacer.doze().await;
            } else {
                self.context.pacer.wait().await?;
            }
        }
    }

    fn call(&self, at_ns: u64, place: u32) {
        if let Some(client) = self.client(place) {
            let mut client = client.borrow_mut();
            if client.takes_call(at_ns) {
                client.turn(&self.context, self.job().clock.now_us());
            }
        }
    }

    /// Nothing depends on reading a frame at once.
    fn may_doze(&self) -> bool {
        self.connectors.get() == 0
            && !self.context.is_opening()
            && self.sent_per_s.get() >= LAZY_SENDS_PER_S
            && self.job().load.message.arrival != Arrival::Closed
    }

    /// Everything ends now: sockets are closed, what waits is turned away.
    fn cancel(&self) {
        self.context.cancel();
        for request in self.requests.borrow_mut().drain(..) {
            turn_away(request);
        }
        let now_us = self.job().clock.now_us();
        for client in self.present() {
            client.borrow_mut().turn(&self.context, now_us);
        }
    }

    fn present(&self) -> Vec<Rc<RefCell<Client>>> {
        self.clients.borrow().iter().flatten().cloned().collect()
    }

    /// Settles every stay of this lane, begun or not, and gives the notebook away.
    fn finish(&self, end_us: u64) -> Recording {
        let lanes = usize::from(self.job().load.lanes.max(1));
        let places = (0..self.job().visits.len()).skip(usize::from(self.index));
        for place in places.step_by(lanes) {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            if let Some(client) = self.client_or_new(place) {
                client.borrow_mut().settle(&self.context, end_us);
            }
            if let Some(slot) = (self.clients.borrow_mut()).get_mut(self.slot(place) as usize) {
                *slot = None;
            }
        }
        self.context.recorder().take()
    }
}

/// Takes requests until there are none. A few such tasks take them from one queue: a task is as large as the largest wait
/// of its life, so thousands of clients must not each carry a connect.
async fn connector(lane: Rc<Lane>) {
    while let Some(request) = lane.next_request() {
        match connected(&lane.context, &request).await {
            Ok((opened, forgotten)) => {
                lane.forget(forgotten);
                Lane::install(&lane, request, opened.socket);
            }
            Err((failure, retry_after_us)) => {
                lane.connect_failed(request, failure, retry_after_us);
            }
        }
    }
    lane.connector_done();
}

/// Reads one socket until it is gone.
async fn session(lane: Rc<Lane>, client: Rc<RefCell<Client>>, generation: u32) {
    let read = |cx: &mut Context<'_>| -> Poll<()> {
        client.borrow_mut().read(&lane.context, generation, cx)
    };
    std::future::poll_fn(read).await;
}
