//! What the steps of a message share.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::channel::{Channel, ChatHealth};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::room::Rooms;
use crate::socket::ChatMessage;
use crate::store::{Gap, LinkError};

/// Messages in one round trip.
const BATCH: usize = 1024;

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

/// Takes what waits for the next round trip, at least one; `false` where no more will come.
pub(super) async fn take(
    waiting: &mut mpsc::Receiver<ChatMessage>,
    batch: &mut Vec<ChatMessage>,
    gap: &mut Gap,
) -> bool {
    gap.over().await;
    let count = waiting.recv_many(batch, BATCH).await;
    gap.begin(Instant::now());
    count > 0
}

/// Logs what is not known already.
pub(super) fn log(error: &LinkError) {
    if !matches!(error, LinkError::Away(_)) {
        tracing::warn!(target: "[WS_SEND]", %error, "messages not queued");
    }
}
