//! What is known of a kind of fault before it is caused.

use std::ops::RangeInclusive;
use std::time::Duration;

use fault_proxy::{Stream, ToxicSpec};

use crate::scenario::fault::Streams;
use crate::scenario::keys::Keys;
use crate::scenario::problem::Complaint;
use crate::scenario::value::{HOUR, MS};

/// What a key that counts bytes, pieces or connections may hold.
pub(super) const COUNTS: RangeInclusive<u64> = 0..=1 << 40;
/// What a delay may be that does something.
pub(super) const DELAYS: RangeInclusive<Duration> = MS..=HOUR;
/// The same for one that may be left out.
pub(super) const TIMES: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(10);
/// The stream of a toxic before the scenario's `stream` takes its place.
pub(super) const TOXIC: Stream = Stream::Downstream;

/// What a kind acts on; decides which keys it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Bytes of a direction, by default this one: takes `stream` and `toxicity`.
    Bytes(Streams),
    /// Connections as a whole: takes `toxicity`.
    Connections,
    /// The link at once.
    Link,
    /// The Redis process: takes no `link`.
    Redis,
    /// The server; of several, the first: takes no `link`.
    Server,
}

impl Reach {
    /// The process it acts on, for people; `None` for a link.
    pub(crate) const fn process(self) -> Option<&'static str> {
        match self {
            Self::Bytes(_) | Self::Connections | Self::Link => None,
            Self::Redis => Some("Redis"),
            Self::Server => Some("the server"),
        }
    }

    /// It acts through toxics.
    pub(crate) const fn is_toxic(self) -> bool {
        match self {
            Self::Bytes(_) | Self::Connections => true,
            Self::Link | Self::Redis | Self::Server => false,
        }
    }
}

/// How a fault is caused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mechanism {
    /// The proxies of the link are disabled.
    Disable,
    /// That share of the open connections of the link is reset.
    ResetNow { share_ratio: f64 },
    /// A toxic, without its name, stream and toxicity.
    Toxic(ToxicSpec, Sign),
    /// Something is done to the process.
    Process(ProcessAction),
    /// The database of the connection tokens is emptied.
    FlushTokens,
}

/// What is done to a process, and undone at the end of the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessAction {
    /// SIGKILL: what was not yet written is gone. Started again.
    Kill,
    /// SIGSTOP: connections stay, nothing answers. SIGCONT.
    Pause,
    /// SIGTERM: an orderly end. Started again.
    Restart,
}

/// How a probe knows a toxic that spares no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Answers take this long for each toxic on their way.
    Late { least_ms: u64, most_ms: u64 },
    /// There is no answer, or the connection is closed without one.
    Silent,
    /// The connection is reset at the latest after this long.
    Reset { after_ms: u64 },
    /// A connection that says nothing is closed after this long, and not before.
    Cut { after_ms: u64 },
    /// No probe can tell it, because it shows only in what clients do: the proxy counts a connection that it
    /// affected. Whether a probe may be one of those.
    Counted { probes: bool },
}

/// A kind of fault: all that is known of it before it is caused.
pub(super) trait Spec: Keys {
    /// As a scenario writes it.
    const NAME: &str;
    const REACH: Reach;
    /// It acts at one moment and lasts no time.
    const IS_MOMENT: bool = false;
    /// Only the harness's own fault proxy can cause it.
    const OWN_PROXY: bool = false;
    /// It ends connections that are open.
    const ENDS_CONNECTIONS: bool = false;

    /// It changes what is carried: what a client then sees proves nothing about the server.
    const DAMAGES: bool = false;

    /// What it does, as the end of a sentence on the link or process.
    fn effect(&self) -> String;

    fn mechanism(&self) -> Mechanism;

    /// How long a connection must be under it before anything is seen, in microseconds.
    fn acts_after_us(&self) -> u64 {
        0
    }

    /// How much later everything arrives, in microseconds.
    fn delays_us(&self) -> u64 {
        0
    }

    /// Nothing passes while it is in force.
    fn stops_everything(&self) -> bool {
        false
    }

    /// What is wrong with the keys together, and at which.
    fn check(&self) -> Result<(), (&'static str, Complaint)> {
        Ok(())
    }
}

/// Whole milliseconds as Toxiproxy takes them, rounded up.
pub(super) const fn ms(us: u64) -> u64 {
    us.div_ceil(1_000)
}
