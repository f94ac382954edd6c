//! This module says what of a run is watched, and by whom.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::view::View;
use super::web::Hub;
use crate::clock::RunClock;
use crate::plan::Plan;
use crate::record::counters::Counters;

/// What is watched, and how it is shown.
pub(crate) struct Watched {
    pub plan: Arc<Plan>,
    pub run_id: String,
    pub clock: RunClock,
    pub counters: Arc<Counters>,
    pub view: View,
    /// Bound before anything was started, so that a taken port is found in time.
    pub exporter: Option<TcpListener>,
    /// Those who watch on a page.
    pub web: Option<Arc<Hub>>,
}
