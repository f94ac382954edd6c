//! This module is a process of the load, from its side: it drives the part it is given.
//!
//! **In:** [`ToShard`] over a socket. **Out:** [`FromShard`]. When the socket ends before the part is done, the run is gone,
//! and so is everything here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::link::address;
use super::message::{
    Assignment, Count, Done, FrameError, Frames, FromShard, ToShard, Usage, decode, encode, framed,
};
use crate::clock::RunClock;
use crate::environment::{EnvironmentError, TargetInfo, affinity, raise_files};
use crate::load::attack::{self, AttackOutcome, Part, Signals};
use crate::monitor::Monitor;
use crate::plan::Plan;
use crate::record::counters::{Counters, Reader};
use crate::record::fault::FaultBoard;
use crate::record::tally::Tally;
use crate::record::trace::Trace;

/// How often the counters are told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Why a process of a load did not do its part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("the run cannot be reached: {0}")]
    Connect(#[source] io::Error),
    #[error("the run: {0}")]
    Talk(String),
    #[error("the run is gone")]
    Gone,
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("no thread to watch itself: {0}")]
    Monitor(#[source] io::Error),
    #[error("{0}")]
    Unable(String),
}

impl From<FrameError> for ServeError {
    fn from(error: FrameError) -> Self {
        Self::Talk(error.to_string())
    }
}

/// A part that is about to be driven.
struct Prepared {
    plan: Plan,
    part: Part,
    target: TargetInfo,
}

/// Drives a part of the load of the run that listens there.
///
/// # Errors
///
/// The run is gone, or its plan cannot be done in this process.
pub(crate) fn serve(name: &str) -> Result<(), ServeError> {
    let stream =
        address(name).and_then(|address| std::os::unix::net::UnixStream::connect_addr(&address));
    let stream = stream.map_err(ServeError::Connect)?;
    stream.set_nonblocking(true).map_err(ServeError::Connect)?;
    let first = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    // Which processors this one may use is told, and has to hold before the first thread of the load.
    let (stream, prepared) = first
        .map_err(ServeError::Runtime)?
        .block_on(receive(stream))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.map_err(ServeError::Runtime)?.block_on(async {
        let stream = UnixStream::from_std(stream).map_err(ServeError::Connect)?;
        drive(framed(stream), prepared).await
    })
}

/// Hears what is to be done and gets ready for it. Nothing follows in this direction until it has said so.
async fn receive(
    stream: std::os::unix::net::UnixStream,
) -> Result<(std::os::unix::net::UnixStream, Prepared), ServeError> {
    let mut frames = framed(UnixStream::from_std(stream).map_err(ServeError::Connect)?);
    let ToShard::Assignment(assignment) = next(&mut frames).await? else {
        return Err(ServeError::Talk("it began with something else".to_owned()));
    };
    let prepared = match prepare(*assignment) {
        Ok(prepared) => prepared,
        Err(reason) => {
            let unable = encode(&FromShard::Unable(reason.clone()))?;
            frames.send(unable).await.map_err(FrameError::from)?;
            return Err(ServeError::Unable(reason));
        }
    };
    let stream = frames
        .into_inner()
        .into_std()
        .map_err(ServeError::Connect)?;
    Ok((stream, prepared))
}

fn prepare(assignment: Assignment) -> Result<Prepared, String> {
    let Assignment {
        plan,
        cut,
        tag,
        target,
        cpus,
    } = assignment;
    let plan: Plan = serde_json::from_str(&plan).map_err(|error| error.to_string())?;
    if let Some(cpus) = &cpus {
        affinity::run_on(cpus).map_err(|error| error.to_string())?;
    }
    raise_files().map_err(|error| error.to_string())?;
    let target = target.open(&plan).map_err(EnvironmentError::from);
    Ok(Prepared {
        target: target.map_err(|error| error.to_string())?,
        part: Part { cut, tag },
        plan,
    })
}

async fn next(frames: &mut Frames) -> Result<ToShard, ServeError> {
    let frame = frames.next().await.ok_or(ServeError::Gone)?;
    Ok(decode(&frame.map_err(FrameError::from)?)?)
}

async fn say(frames: &mut Frames, message: &FromShard) -> Result<(), ServeError> {
    Ok(frames
        .send(encode(message)?)
        .await
        .map_err(FrameError::from)?)
}

async fn drive(mut frames: Frames, prepared: Prepared) -> Result<(), ServeError> {
    let Prepared { plan, part, target } = prepared;
    say(&mut frames, &FromShard::Ready).await?;
    let clock = match next(&mut frames).await? {
        ToShard::Start { zero_ns } => RunClock::with_zero(zero_ns),
        ToShard::Cancel => return Ok(()),
        ToShard::Assignment(_) | ToShard::Faults { .. } => {
            return Err(ServeError::Talk("it did not start the load".to_owned()));
        }
    };
    let counters = Arc::new(Counters::new(usize::from(plan.load.lanes)));
    let signals = Signals {
        clock,
        counters: Arc::clone(&counters),
        faults: Arc::new(FaultBoard::new(plan.faults.len())),
        cancel: CancellationToken::new(),
        trace: Trace::default(),
    };
    let monitor = Monitor::start(clock, Arc::clone(&counters)).map_err(ServeError::Monitor)?;
    let load = attack::run(&plan, part, target, signals.clone());
    let outcome = Box::pin(beside(&mut frames, &signals, load)).await?;
    let (own, _) = monitor.finish();
    tell(&mut frames, &counters).await?;
    let count = outcome.as_ref().map_or_else(
        |_| Count::default(),
        |outcome| Count {
            actual_sends: outcome.recording.dispatch_delay.count(),
            frames_received: outcome.recording.frames_received,
        },
    );
    let done = Done {
        count,
        outcome: outcome.map_err(|error| error.to_string()),
        usage: Usage {
            cpu_seconds: own.cpu_seconds,
            rss_peak_bytes: own.rss_peak_bytes,
            fds_peak: own.fds_peak,
        },
    };
    say(&mut frames, &FromShard::Done(Box::new(done))).await?;
    // The run closes when it has read all.
    while frames.next().await.is_some() {}
    Ok(())
}

/// Drives the load and talks with the run meanwhile.
async fn beside(
    frames: &mut Frames,
    signals: &Signals,
    load: impl Future<Output = Result<AttackOutcome, attack::AttackError>>,
) -> Result<Result<AttackOutcome, attack::AttackError>, ServeError> {
    let mut load = std::pin::pin!(load);
    let mut ticks = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            outcome = &mut load => return Ok(outcome),
            heard = next(frames) => match heard {
                Ok(ToShard::Faults { revision, spans }) => {
                    signals.faults.follow(&spans);
                    say(frames, &FromShard::Heard(revision)).await?;
                }
                Ok(ToShard::Cancel) => signals.cancel.cancel(),
                Ok(ToShard::Assignment(_) | ToShard::Start { .. }) => {
                    return Err(ServeError::Talk("it started the load twice".to_owned()));
                }
                // goose's users and the lanes go with the process.
                Err(gone) => return Err(gone),
            },
            _ = ticks.tick() => tell(frames, &signals.counters).await?,
        }
    }
}

async fn tell(frames: &mut Frames, counters: &Counters) -> Result<(), ServeError> {
    // Both readers are those of the run: here one of them is asked, and the other's lot thrown away.
    drop(counters.take_recent(Reader::Guard));
    let recent = counters.take_recent(Reader::View);
    say(
        frames,
        &FromShard::Tally(Box::new((Tally::of(counters), recent))),
    )
    .await
}
