//! What the steps of a message share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::channel::{Channel, ChatHealth};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::room::Rooms;
use crate::store::LinkError;

/// Messages in one round trip.
pub(super) const BATCH: usize = 1024;

/// What the steps of a message need.
pub(crate) struct Context {
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// The conversations.
    pub(crate) rooms: Arc<Rooms>,
    /// The way out for what is published.
    pub(crate) channel: Arc<Channel>,
    /// Whether a message can be taken, and the links to Redis.
    pub(crate) health: ChatHealth,
    /// The shutdown has begun.
    pub(crate) stopping: CancellationToken,
}

/// Logs what is not known already.
pub(super) fn log(error: &LinkError) {
    if !matches!(error, LinkError::Away(_)) {
        tracing::warn!(target: "[WS_SEND]", %error, "messages not queued");
    }
}
