//! What the proxies of one server have in common.

use super::{events::Events, held::Budget, hops::Hops, pacer::Pacer, places::Places, ways::Ways};
use std::sync::Arc;

/// What every proxy of one server shares.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub(super) seed: u64,
    /// Listeners can be bound by several processes at once.
    pub(super) share_ports: bool,
    pub(super) events: Events,
    pub(super) shares: Shares,
}

/// What the proxies of one server have to share.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    pub(super) places: Arc<Places>,
    pub(super) budget: Arc<Budget>,
    pub(super) hops: Arc<Hops>,
    pub(super) ways: Arc<Ways>,
    pub(super) pacer: Arc<Pacer>,
}
