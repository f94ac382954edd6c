//! What the sockets of one server share, and what those need who let them in.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::bound::Accounts;
use crate::channel::ChatHealth;
use crate::config::Config;
use crate::message::Inbox;
use crate::metrics::Metrics;
use crate::room::Rooms;
use crate::socket::Registry;
use crate::wire::Frame;

/// How long the peer has to answer a close frame.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// What every socket of a server needs.
pub(crate) struct Sessions {
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// The conversations.
    pub(crate) rooms: Arc<Rooms>,
    /// The open sockets.
    pub(crate) registry: Registry,
    /// What each user has.
    pub(crate) accounts: Arc<Accounts>,
    /// Where messages go.
    pub(crate) inbox: Inbox,
    /// Whether an answer can reach a socket.
    pub(crate) health: ChatHealth,
    /// The answer to a heartbeat.
    pub(crate) pong: Frame,
    /// The shutdown has begun.
    pub(crate) stopping: CancellationToken,
    /// The shutdown is over: what is still running ends at once.
    pub(crate) ended: CancellationToken,
}
