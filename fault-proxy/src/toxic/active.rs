//! The state of one toxic on one link, whatever its kind.

use super::{
    Inbox, Kind, Moment, Step, bandwidth, blackhole, latency, limit_data, reset_peer, slicer,
    slow_close, timeout,
};
use tokio::time::Instant;

/// Up to this much waits in front of a toxic that delays without throttling; as much as the
/// 1,024 chunks of 32 KiB in a real Toxiproxy.
const DELAYED_BYTES_MAX: usize = 32 << 20;
/// Elsewhere one chunk waits at a time, so that the sender feels a throttle at once.
const WAITING_BYTES_MAX: usize = 1;

/// A toxic at work on one stream; `Noop` also stands in for one that spares the connection.
#[derive(Debug)]
pub(crate) enum Active {
    Noop,
    Latency(latency::Active),
    Bandwidth(bandwidth::Active),
    SlowClose(slow_close::Active),
    Timeout(timeout::Active),
    ResetPeer(reset_peer::Active),
    Slicer(slicer::Active),
    LimitData(limit_data::Active),
    Blackhole(blackhole::Active),
}

/// What taking a toxic away does to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// What it held goes on at once.
    Flush,
    /// It swallowed data, so the stream cannot go on: close.
    Close,
    /// The same, by a reset.
    Reset,
}

impl Active {
    pub(crate) fn start(kind: &Kind, now: Instant) -> Self {
        match kind {
            Kind::Noop(_)
            | Kind::IdleTimeout(_)
            | Kind::LimitTime(_)
            | Kind::SlowConnect(_)
            | Kind::Refuse(_)
            | Kind::NoAnswer(_) => Self::Noop,
            Kind::Latency(settings) => Self::Latency(latency::Active::start(*settings)),
            Kind::Bandwidth(settings) => Self::Bandwidth(bandwidth::Active::start(*settings)),
            Kind::SlowClose(settings) => Self::SlowClose(slow_close::Active::start(*settings)),
            Kind::Timeout(settings) => Self::Timeout(timeout::Active::start(*settings, now)),
            Kind::ResetPeer(settings) => Self::ResetPeer(reset_peer::Active::start(*settings)),
            Kind::Slicer(settings) => Self::Slicer(slicer::Active::start(*settings)),
            Kind::LimitData(settings) => Self::LimitData(limit_data::Active::start(*settings)),
            Kind::Blackhole(_) => Self::Blackhole(blackhole::Active::default()),
        }
    }

    /// New settings for a toxic that goes on; what it remembers of the connection stays.
    pub(crate) fn change(&mut self, kind: &Kind, now: Instant) {
        match (&mut *self, kind) {
            (Self::Latency(active), Kind::Latency(settings)) => active.change(*settings),
            (Self::Bandwidth(active), Kind::Bandwidth(settings)) => active.change(*settings),
            (Self::SlowClose(active), Kind::SlowClose(settings)) => active.change(*settings),
            (Self::Timeout(active), Kind::Timeout(settings)) => active.change(*settings, now),
            (Self::ResetPeer(active), Kind::ResetPeer(settings)) => active.change(*settings),
            (Self::Slicer(active), Kind::Slicer(settings)) => active.change(*settings),
            (Self::LimitData(active), Kind::LimitData(settings)) => active.change(*settings),
            (Self::Blackhole(_), Kind::Blackhole(_)) => {}
            (_, kind) => *self = Self::start(kind, now),
        }
    }

    pub(crate) fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        match self {
            Self::Noop => inbox.pass(),
            Self::Latency(active) => active.step(inbox, moment),
            Self::Bandwidth(active) => active.step(inbox, moment.now),
            Self::SlowClose(active) => active.step(inbox, moment.now),
            Self::Timeout(active) => active.step(inbox, moment.now),
            Self::ResetPeer(active) => active.step(inbox, moment.now),
            Self::Slicer(active) => active.step(inbox, moment),
            Self::LimitData(active) => active.step(inbox),
            Self::Blackhole(active) => active.step(inbox, moment),
        }
    }

    pub(crate) fn removal(&self) -> Removal {
        match self {
            Self::Timeout(_) => Removal::Close,
            Self::Blackhole(active) => active.removal(),
            Self::ResetPeer(active) if active.is_armed() => Removal::Reset,
            Self::Noop
            | Self::Latency(_)
            | Self::Bandwidth(_)
            | Self::SlowClose(_)
            | Self::ResetPeer(_)
            | Self::Slicer(_)
            | Self::LimitData(_) => Removal::Flush,
        }
    }

    /// The inbox takes more as long as it holds less than this.
    pub(crate) fn inbox_bytes_max(&self) -> usize {
        match self {
            Self::Latency(_) => DELAYED_BYTES_MAX,
            Self::Noop
            | Self::Bandwidth(_)
            | Self::SlowClose(_)
            | Self::Timeout(_)
            | Self::ResetPeer(_)
            | Self::Slicer(_)
            | Self::LimitData(_)
            | Self::Blackhole(_) => WAITING_BYTES_MAX,
        }
    }
}
