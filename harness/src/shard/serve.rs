//! This module is a process of the load, from its side: it drives the part it is given.
//!
//! **In:** [`ToShard`] over a socket. **Out:** [`FromShard`]. When the socket ends before the part is done, the run is gone,
//! and so is everything here.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::channel::Channel;
use super::link::address;
use super::meeting::{MeetingError, Place, come};
use super::message::{
    Assignment, Count, Done, FrameError, FromShard, ToShard, Usage, decode, encode, framed,
};
use crate::clock::{RunClock, wall_ns};
use crate::environment::{TargetInfo, affinity, own_sources, raise_files};
use crate::load::attack::{self, AttackOutcome, Part, Signals};
use crate::monitor::Monitor;
use crate::plan::{Plan, estimate};
use crate::record::counters::{Counters, Reader};
use crate::record::fault::FaultBoard;
use crate::record::generator::Generator;
use crate::record::tally::Tally;
use crate::record::trace::Trace;

/// A start cannot be heard of before it is said, by more than clocks may be apart.
const CLOCK_BEHIND_MAX_NS: u64 = 50_000_000;

/// Why a process of a load did not do its part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("the run cannot be reached: {0}")]
    Connect(#[source] io::Error),
    #[error("the run: {0}")]
    Talk(String),
    #[error("the run is gone")]
    Gone,
    #[error(transparent)]
    Meeting(#[from] MeetingError),
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
    runtime()?.block_on(async {
        let stream = UnixStream::from_std(stream).map_err(ServeError::Connect)?;
        drive(Channel::Socket(framed(stream)), prepared).await
    })
}

/// Drives a part of the load of the run that shares that folder.
///
/// # Errors
///
/// The run does not come or is gone, the place is taken, or the plan cannot be done in this process.
pub(crate) fn serve_at(place: &Place) -> Result<(), ServeError> {
    runtime()?.block_on(async {
        let mut channel = come(place).await?;
        let prepared = assigned(&mut channel, &place.sources).await?;
        drive(channel, prepared).await
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)
}

/// Hears what is to be done and gets ready for it. Nothing follows in this direction until it has said so.
async fn receive(
    stream: std::os::unix::net::UnixStream,
) -> Result<(std::os::unix::net::UnixStream, Prepared), ServeError> {
    let stream = UnixStream::from_std(stream).map_err(ServeError::Connect)?;
    let mut channel = Channel::Socket(framed(stream));
    let prepared = assigned(&mut channel, &[]).await?;
    let Channel::Socket(frames) = channel else {
        return Err(ServeError::Gone);
    };
    let stream = frames
        .into_inner()
        .into_std()
        .map_err(ServeError::Connect)?;
    Ok((stream, prepared))
}

/// Hears what is to be done, and gets ready for it; with sockets opened from these addresses, if there are any.
async fn assigned(channel: &mut Channel, sources: &[IpAddr]) -> Result<Prepared, ServeError> {
    let ToShard::Assignment(assignment) = next(channel).await? else {
        return Err(ServeError::Talk("it began with something else".to_owned()));
    };
    match prepare(*assignment, sources) {
        Ok(prepared) => Ok(prepared),
        Err(reason) => {
            say(channel, &FromShard::Unable(reason.clone())).await?;
            Err(ServeError::Unable(reason))
        }
    }
}

fn prepare(assignment: Assignment, sources: &[IpAddr]) -> Result<Prepared, String> {
    let Assignment {
        plan,
        cut,
        tag,
        target,
        cpus,
    } = assignment;
    let mut plan: Plan = serde_json::from_str(&plan).map_err(|error| error.to_string())?;
    if !sources.is_empty() {
        plan.load.sources = sources.to_vec();
    }
    if let Some(cpus) = &cpus {
        affinity::run_on(cpus).map_err(|error| error.to_string())?;
    }
    let files = raise_files().map_err(|error| error.to_string())?;
    let needed = estimate::shard_files(&plan, cut.count);
    if needed > files {
        return Err(format!(
            "it needs {needed} open files and may have {files}: raise `ulimit -n`, or cut the load into more parts"
        ));
    }
    let target = target.open(&plan).map_err(|error| error.to_string())?;
    let first = target.addresses.first().copied();
    own_sources(&plan.load.sources, first).map_err(|error| error.to_string())?;
    Ok(Prepared {
        target,
        part: Part { cut, tag },
        plan,
    })
}

async fn next(channel: &mut Channel) -> Result<ToShard, ServeError> {
    let frame = channel.next().await.ok_or(ServeError::Gone)?;
    Ok(decode(&frame?)?)
}

async fn say(channel: &mut Channel, message: &FromShard) -> Result<(), ServeError> {
    Ok(channel.send(encode(message)?).await?)
}

async fn drive(mut channel: Channel, prepared: Prepared) -> Result<(), ServeError> {
    let Prepared { plan, part, target } = prepared;
    say(&mut channel, &FromShard::Ready).await?;
    let Some((clock, zero_wall_ns)) = started(&mut channel).await? else {
        return Ok(());
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
    let tag = part.tag.clone();
    let load = attack::run(&plan, part, target, signals.clone());
    let (outcome, gone) = Box::pin(beside(&mut channel, &signals, load)).await?;
    let (own, _) = monitor.finish();
    channel.unpost();
    say(&mut channel, &tally(&counters)).await?;
    let outcome = outcome.map_err(|error| error.to_string());
    let done = Done::of((outcome, tag), &own, zero_wall_ns);
    say(&mut channel, &FromShard::Done(Box::new(done))).await?;
    if let Some(gone) = gone {
        return Err(gone);
    }
    channel.drained().await;
    Ok(())
}

/// When the load begins: on the clock of this process, and on the wall clock. `None`: not at all.
async fn started(channel: &mut Channel) -> Result<Option<(RunClock, u64)>, ServeError> {
    let (zero_ns, zero_wall_ns, said_wall_ns) = match next(channel).await? {
        ToShard::Start {
            zero_ns,
            zero_wall_ns,
            said_wall_ns,
        } => (zero_ns, zero_wall_ns, said_wall_ns),
        ToShard::Cancel => return Ok(None),
        ToShard::Assignment(_) | ToShard::Faults { .. } => {
            return Err(ServeError::Talk("it did not start the load".to_owned()));
        }
    };
    let clock = match channel {
        Channel::Socket(_) => RunClock::with_zero(zero_ns),
        Channel::Folder(_) => match in_time((said_wall_ns, zero_wall_ns), wall_ns()) {
            Ok(()) => RunClock::with_wall_zero(zero_wall_ns),
            Err(reason) => {
                say(channel, &FromShard::Unable(reason.clone())).await?;
                return Err(ServeError::Unable(reason));
            }
        },
    };
    Ok(Some((clock, zero_wall_ns)))
}

impl Done {
    /// What came of a part that was to begin at that moment, and what the process says of itself.
    fn of(
        (outcome, tag): (Result<AttackOutcome, String>, String),
        own: &Generator,
        zero_wall_ns: u64,
    ) -> Self {
        let seen = outcome.as_ref().ok();
        let count = seen.map_or_else(Count::default, |outcome| Count {
            actual_sends: outcome.recording.dispatch_delay.count(),
            frames_received: outcome.recording.frames_received,
        });
        let start_us = seen.and_then(|outcome| outcome.begun_wall_ns).map(|ns| {
            let after_ns = i128::from(ns) - i128::from(zero_wall_ns);
            i64::try_from(after_ns / 1_000).unwrap_or(i64::MAX)
        });
        let late_us = u64::try_from(start_us.unwrap_or(0)).unwrap_or(0);
        // One that was under way when it was to begin, or came before it had.
        let pauses = own.pauses.iter().filter(|pause| pause.at_us <= late_us);
        Self {
            usage: Usage {
                cpu_seconds: own.cpu_seconds,
                rss_peak_bytes: own.rss_peak_bytes,
                fds_peak: own.fds_peak,
                clock_step_us: own.clock_step_us,
                start_us,
                start_pause_us: pauses.map(|pause| pause.length_us).max().unwrap_or(0),
            },
            tag,
            outcome,
            count,
        }
    }
}

/// Whether a start that was said then, and lies there, is still to come; whatever the clocks of files say.
fn in_time((said_ns, zero_ns): (u64, u64), now_ns: u64) -> Result<(), String> {
    let ms = |ns: u64| ns / 1_000_000;
    let behind_ns = said_ns.saturating_sub(now_ns);
    if behind_ns > CLOCK_BEHIND_MAX_NS {
        return Err(format!(
            "its clock is at least {} ms behind that of the run: it heard of the start before that was said",
            ms(behind_ns)
        ));
    }
    if now_ns >= zero_ns {
        return Err(format!(
            "it heard of the start {} ms too late, or its clock is ahead of that of the run",
            ms(now_ns - zero_ns)
        ));
    }
    Ok(())
}

/// What came of the load, and that the run was gone before it.
type Driven = (
    Result<AttackOutcome, attack::AttackError>,
    Option<ServeError>,
);

/// Drives the load and talks with the run meanwhile. When the run is gone the load ends; what was seen is worth something
/// where it can be left.
async fn beside(
    channel: &mut Channel,
    signals: &Signals,
    load: impl Future<Output = Result<AttackOutcome, attack::AttackError>>,
) -> Result<Driven, ServeError> {
    let mut load = std::pin::pin!(load);
    let mut ticks = tokio::time::interval(channel.tell_every());
    loop {
        tokio::select! {
            outcome = &mut load => return Ok((outcome, None)),
            heard = next(channel) => match heard {
                Ok(ToShard::Faults { revision, spans }) => {
                    signals.faults.follow(&spans);
                    say(channel, &FromShard::Heard(revision)).await?;
                }
                Ok(ToShard::Cancel) => signals.cancel.cancel(),
                Ok(ToShard::Assignment(_) | ToShard::Start { .. }) => {
                    return Err(ServeError::Talk("it started the load twice".to_owned()));
                }
                Err(gone) if channel.outlives_the_run() => {
                    signals.cancel.cancel();
                    return Ok((load.await, Some(gone)));
                }
                // goose's users and the lanes go with the process.
                Err(gone) => return Err(gone),
            },
            _ = ticks.tick() => channel.post(encode(&tally(&signals.counters))?).await?,
        }
    }
}

/// Where the counters stand, and what came since this was asked last.
fn tally(counters: &Counters) -> FromShard {
    // Both readers are those of the run: here one of them is asked, and the other's lot thrown away.
    drop(counters.take_recent(Reader::Guard));
    let recent = counters.take_recent(Reader::View);
    FromShard::Tally(Box::new((Tally::of(counters), recent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_heard_of_after_it_was_said_and_before_it_comes() {
        let at = |ms: u64| 1_000_000_000_000 + ms * 1_000_000;
        let told = |now| in_time((at(1_000), at(5_000)), now);
        assert_eq!(told(at(1_200)), Ok(()));
        assert_eq!(told(at(960)), Ok(()), "clocks may be a little apart");
        assert!(told(at(500)).unwrap_err().contains("500 ms behind"));
        assert!(told(at(5_300)).unwrap_err().contains("300 ms too late"));
    }
}
