//! This module is the thread under a lane: start, commands, end.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::Lane;
use super::housekeeping::{EVERY, Housekeeping};
use super::notebook::Notebook;
use crate::load::job::{Command, Job};
use crate::record::recording::Recording;

/// Commands on their way to a lane.
const COMMANDS_MAX: usize = 1024;
/// How long a lane may take to give its notebook away.
const FINISH_LIMIT: Duration = Duration::from_secs(5);
/// How often a lane's runtime looks at sockets while tasks keep it busy, in task turns.
const EVENT_INTERVAL: u32 = 61;

/// Why a lane did not do its work to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("a session thread could not be started: {0}")]
    Start(#[source] io::Error),
    #[error("session thread {0} broke down: {1}")]
    Broke(u16, #[source] io::Error),
    #[error("session thread {0} ended before the run")]
    Gone(u16),
    #[error("session thread {0} was stuck: it did not end within {limit} s, and was given up", limit = FINISH_LIMIT.as_secs())]
    Stuck(u16),
    #[error("session thread {0} was stuck while it wrote: it did not end within {limit} s, and was given up with all it knew", limit = FINISH_LIMIT.as_secs())]
    Locked(u16),
}

/// A running lane.
#[derive(Debug)]
pub(in crate::load) struct LaneHandle {
    index: u16,
    notebook: Notebook,
    commands: mpsc::Sender<Command>,
    finish: oneshot::Sender<u64>,
    recording: oneshot::Receiver<Result<Recording, io::Error>>,
    thread: JoinHandle<()>,
}

impl LaneHandle {
    pub(in crate::load) fn start(job: Arc<Job>, index: u16) -> Result<Self, LaneError> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (finish, finished) = oneshot::channel();
        let (give, recording) = oneshot::channel();
        let notebook = Notebook::new(&job);
        let lanes_own = notebook.clone();
        let thread = std::thread::Builder::new()
            .name(format!("lane-{index}"))
            .spawn(move || {
                let result = serve(job, index, lanes_own, inbox, finished);
                // Nobody waits for it when the run has already failed.
                drop(give.send(result));
            })
            .map_err(LaneError::Start)?;
        Ok(Self {
            index,
            notebook,
            commands,
            finish,
            recording,
            thread,
        })
    }

    pub(in crate::load) fn commands(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// Settles what is open as of `end_us` and takes the notebook. Of a lane that is stuck or gone, what it wrote so
    /// far; what it had not settled is in no book.
    pub(in crate::load) async fn finish(self, end_us: u64) -> (Recording, Option<LaneError>) {
        drop(self.commands);
        if self.finish.send(end_us).is_err() {
            tracing::error!("a session thread ended before the run; its error follows");
        }
        let index = self.index;
        let error = match tokio::time::timeout(FINISH_LIMIT, self.recording).await {
            Ok(Ok(Ok(recording))) => {
                // It has nothing left to do but to return.
                drop(self.thread.join());
                return (recording, None);
            }
            Ok(Ok(Err(error))) => LaneError::Broke(index, error),
            Ok(Err(_)) => LaneError::Gone(index),
            Err(_) => LaneError::Stuck(index),
        };
        tracing::error!(%error, "its records are kept as far as it wrote them");
        match self.notebook.take().await {
            Some(recording) => (recording, Some(error)),
            None => (Recording::default(), Some(LaneError::Locked(index))),
        }
    }
}

fn serve(
    job: Arc<Job>,
    index: u16,
    notebook: Notebook,
    inbox: mpsc::Receiver<Command>,
    finished: oneshot::Receiver<u64>,
) -> Result<Recording, io::Error> {
    // Without it the kernel may wake this thread 50 µs late.
    nix::sys::prctl::set_timerslack(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async move {
        let lane = Rc::new(Lane::new(job, index, notebook)?);
        run(&lane, inbox, finished).await
    })
}

async fn run(
    lane: &Rc<Lane>,
    mut inbox: mpsc::Receiver<Command>,
    mut finished: oneshot::Receiver<u64>,
) -> Result<Recording, io::Error> {
    lane.context.set_wall_offset();
    let mut housekeeping = Housekeeping::default();
    let mut ticks = tokio::time::interval(EVERY);
    let cancel = lane.job().cancel.clone();
    // A task of its own: its sleep must come once per turn of the scheduler, not once per command.
    let mut pace = JoinSet::new();
    let pacer = Rc::clone(lane);
    pace.spawn_local(async move { pacer.pace().await });
    let mut inbox_open = true;
    loop {
        tokio::select! {
            Some(ended) = pace.join_next() => ended.map_err(io::Error::other)??,
            command = inbox.recv(), if inbox_open => match command {
                Some(command) => lane.command(command),
                None => inbox_open = false,
            },
            _ = ticks.tick() => housekeeping.call(lane),
            () = cancel.cancelled(), if !lane.context.cancelled() => lane.cancel(),
            end_us = &mut finished => {
                let end_us = end_us.unwrap_or_else(|_| lane.job().clock.now_us());
                lane.tasks.borrow_mut().abort_all();
                return Ok(lane.finish(end_us));
            }
        }
    }
}
