//! This module says what of a run is watched, and how it is shown.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::clock::RunClock;
use crate::plan::Plan;
use crate::record::counters::Counters;

/// Time between two looks at the counters.
pub(super) const LOOK_EVERY_US: u64 = 250_000;

/// What the person at the terminal sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// A block that is redrawn in place.
    Block(Glyphs),
    /// A line every few seconds and one per fault stamp: for logs.
    Lines,
    Quiet,
}

/// What the lanes of the block are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyphs {
    Blocks,
    Ascii,
}

/// What is watched, and how it is shown.
pub(crate) struct Watched {
    pub plan: Arc<Plan>,
    pub run_id: String,
    pub clock: RunClock,
    pub counters: Arc<Counters>,
    pub view: View,
    /// Bound before anything was started, so that a taken port is found in time.
    pub exporter: Option<TcpListener>,
}
