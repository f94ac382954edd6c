//! What the parts of one server share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::args::ChannelKind;
use crate::bound::{Accounts, Attempts, Peers, Tally};
use crate::channel::Channel;
use crate::clock;
use crate::config::Config;
use crate::directory::Directory;
use crate::frame::Frame;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::room::Rooms;
use crate::route::Kind;
use crate::socket::Registry;
use crate::store::Link;

/// The connections to Redis that carry commands.
pub(crate) struct Links {
    /// Database 0: queue and remembered ids.
    pub(crate) tasks: Arc<Link>,
    /// Database 2: tokens and rate limits.
    pub(crate) tokens: Arc<Link>,
    /// Database 3: histories and publishing.
    pub(crate) channel: Arc<Link>,
}

/// Whether events reach this process, and since when not.
pub(crate) struct Ears {
    away_since_ms: AtomicU64,
}

impl Ears {
    /// Deaf from now on, or hearing at once where nothing has to be subscribed to.
    pub(crate) fn new(kind: ChannelKind) -> Self {
        let since = match kind {
            ChannelKind::Redis => clock::since_start_ms(),
            ChannelKind::Memory => 0,
        };
        Self {
            away_since_ms: AtomicU64::new(since),
        }
    }

    /// Notes whether events arrive.
    pub(crate) fn set(&self, hearing: bool) {
        let since = if hearing { 0 } else { clock::since_start_ms() };
        let before = self.away_since_ms.load(Ordering::Acquire);
        if hearing || before == 0 {
            self.away_since_ms.store(since, Ordering::Release);
        }
    }

    /// For how long no event arrives; `None` while they do.
    pub(crate) fn away_for(&self) -> Option<Duration> {
        let since = self.away_since_ms.load(Ordering::Acquire);
        let now = clock::since_start_ms();
        (since != 0).then(|| Duration::from_millis(now.saturating_sub(since)))
    }
}

/// Everything the parts of one server share.
pub(crate) struct Shared {
    /// The settings.
    pub(crate) config: Config,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// Commands to Redis.
    pub(crate) links: Links,
    /// Events from the channel layer.
    pub(crate) ears: Arc<Ears>,
    /// Events to the channel layer.
    pub(crate) channel: Arc<Channel>,
    /// The conversations.
    pub(crate) rooms: Arc<Rooms>,
    /// The sockets.
    pub(crate) registry: Registry,
    /// Whose address a connection counts for.
    pub(crate) peers: Peers,
    /// The sockets of each address.
    pub(crate) sockets: Arc<Tally<IpAddr>>,
    /// What each user has.
    pub(crate) accounts: Arc<Accounts>,
    /// The failed logins of late.
    pub(crate) attempts: Attempts,
    /// Where messages go.
    pub(crate) intake: Intake,
    /// Who may log in.
    pub(crate) directory: Directory,
    /// The answer to a heartbeat.
    pub(crate) pong: Frame,
    /// The shutdown has begun.
    pub(crate) stopping: CancellationToken,
    /// The shutdown is over: what is still running ends at once.
    pub(crate) ended: CancellationToken,
}

impl Shared {
    /// Whether a chat message could be queued and answered now.
    pub(crate) fn can_chat(&self) -> bool {
        let links = &self.links;
        let all_up = links.tasks.is_up() && links.tokens.is_up() && links.channel.is_up();
        all_up && self.ears.away_for().is_none()
    }

    /// Whether a message on a socket of that kind could be taken now: people need no task queue.
    pub(crate) fn can_take(&self, kind: Kind) -> bool {
        let links = &self.links;
        match kind {
            Kind::Assistant => self.can_chat(),
            Kind::People | Kind::Admin => {
                let up = links.tokens.is_up() && links.channel.is_up();
                up && self.ears.away_for().is_none()
            }
        }
    }

    /// For how long no answer can reach a socket; `None` while they do.
    pub(crate) fn chat_away_for(&self) -> Option<Duration> {
        self.ears.away_for().max(self.links.tasks.away_for())
    }
}
