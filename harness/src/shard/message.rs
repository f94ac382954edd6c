//! This module is what a run and the processes of its load say to each other, and how it travels.
//!
//! A frame is a length and a `MessagePack` text, over a socket of this machine between programs of one build. No frame is
//! longer than [`FRAME_BYTES_MAX`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::hello::Hello;
use crate::environment::TargetHandover;
use crate::load::attack::AttackOutcome;
use crate::plan::Cut;
use crate::record::counters::Recent;
use crate::record::fault::FaultSpan;
use crate::record::tally::Tally;
use crate::scenario::cpus::Cpus;

/// Longest frame: what a process saw in a run of hours with a thousand kinds of intervals is far below it.
pub(super) const FRAME_BYTES_MAX: usize = 1 << 30;

/// A socket with frames on it.
pub(super) type Frames = Framed<UnixStream, LengthDelimitedCodec>;

/// From the run to a process of its load.
#[derive(Serialize, Deserialize)]
pub(super) enum ToShard {
    Assignment(Box<Assignment>),
    /// The load begins at that moment: of the monotonic clock, which those of one machine have in common, and of the wall
    /// clock.
    Start {
        zero_ns: u64,
        zero_wall_ns: u64,
        /// When it was said, by the wall clock of the run.
        said_wall_ns: u64,
    },
    /// The faults as they stand, and the number of this change.
    Faults {
        revision: u64,
        spans: Vec<FaultSpan>,
    },
    /// Everything ends.
    Cancel,
}

/// What a process is to do.
#[derive(Serialize, Deserialize)]
pub(super) struct Assignment {
    /// JSON: as in a result.
    pub plan: String,
    pub cut: Cut,
    /// Names the run's conversations and messages.
    pub tag: String,
    pub target: TargetHandover,
    /// Processors of the load: the janitor, which starts it, may be on those of the server.
    pub cpus: Option<Cpus>,
}

/// From a process of the load to its run.
#[derive(Serialize, Deserialize)]
pub(super) enum FromShard {
    /// First of all, where nobody started it for the run.
    Hello(Box<Hello>),
    Ready,
    /// It cannot begin, for this reason.
    Unable(String),
    /// It knows of the faults up to this change.
    Heard(u64),
    /// Where its counters stand, and the latencies since it last said so.
    Tally(Box<(Tally, Recent)>),
    /// It is over. The last word.
    Done(Box<Done>),
}

/// What came of a part.
#[derive(Serialize, Deserialize)]
pub(super) struct Done {
    /// That of the run's conversations and messages: which run it is of.
    pub tag: String,
    /// Or why there is nothing.
    pub outcome: Result<AttackOutcome, String>,
    pub usage: Usage,
    pub count: Count,
}

/// What a process counted before it told what it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    pub actual_sends: u64,
    pub frames_received: u64,
}

/// What a process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Usage {
    pub cpu_seconds: f64,
    pub rss_peak_bytes: u64,
    pub fds_peak: u64,
    /// Largest step of its wall clock.
    pub clock_step_us: u64,
    /// When it began, by its wall clock, after the agreed moment; `None`: it drove nothing.
    pub start_us: Option<i64>,
    /// How long its machine stood still when it was to begin.
    pub start_pause_us: u64,
}

/// What came is no frame of this build.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    #[error("a frame cannot be written: {0}")]
    Write(#[from] rmp_serde::encode::Error),
    #[error("a frame cannot be read: {0}")]
    Read(#[from] rmp_serde::decode::Error),
}

/// Puts frames on a socket.
pub(super) fn framed(stream: UnixStream) -> Frames {
    let codec = LengthDelimitedCodec::builder()
        .max_frame_length(FRAME_BYTES_MAX)
        .new_codec();
    Framed::new(stream, codec)
}

pub(super) fn encode(message: &impl Serialize) -> Result<Bytes, FrameError> {
    // With names: fields that are left out would shift the others.
    Ok(rmp_serde::to_vec_named(message)?.into())
}

pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, FrameError> {
    Ok(rmp_serde::from_slice(frame)?)
}
