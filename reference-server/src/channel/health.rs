//! Whether a message can be taken, and its answer reach a socket: the links to Redis, and the
//! subscription.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::args::ChannelKind;
use crate::clock;
use crate::route::Kind;
use crate::store::Links;

/// Whether events reach this process, and since when not.
pub(crate) struct SubscriptionHealth {
    away_since_ms: AtomicU64,
}

impl SubscriptionHealth {
    /// Away from now on, or well at once where nothing has to be subscribed to.
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
    pub(crate) fn set(&self, arriving: bool) {
        let since = if arriving { 0 } else { clock::since_start_ms() };
        let before = self.away_since_ms.load(Ordering::Acquire);
        if arriving || before == 0 {
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

/// Whether chat works here and now.
#[derive(Clone)]
pub(crate) struct ChatHealth {
    /// Commands to Redis.
    pub(crate) links: Links,
    /// Events from the channel layer.
    pub(crate) subscription: Arc<SubscriptionHealth>,
}

impl ChatHealth {
    /// Whether a message on a socket of that kind could be taken now: an assistant chat needs the
    /// task queue too.
    pub(crate) fn can_take(&self, kind: Kind) -> bool {
        let links = &self.links;
        let queue = match kind {
            Kind::Assistant => links.tasks.is_up(),
            Kind::People | Kind::Admin => true,
        };
        let up = queue && links.tokens.is_up() && links.channel.is_up();
        up && self.subscription.away_for().is_none()
    }

    /// For how long no answer can reach a socket; `None` while they do.
    pub(crate) fn away_for(&self) -> Option<Duration> {
        self.subscription
            .away_for()
            .max(self.links.tasks.away_for())
    }
}
