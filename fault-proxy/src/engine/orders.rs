//! What a proxy tells its live connections, and how it learns that they have listened.
//!
//! Every connection holds the set of toxics it applies and the reset it began after. When the last
//! one has let go of an old one, the change has reached all of them; nobody has to count
//! acknowledgements.

use crate::{
    Stream,
    refusal::Refusal,
    toxic::{Reach, Toxic},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Connections take a change up as soon as they are scheduled; this is for a starved machine.
const TAKE_UP_MAX: Duration = Duration::from_secs(4);

/// The toxics in force, by what they act on, each list in the order of creation.
#[derive(Debug)]
pub(super) struct ToxicSet {
    pub(super) upstream: Vec<Arc<Toxic>>,
    pub(super) downstream: Vec<Arc<Toxic>>,
    /// On the connection as a whole, once it is open.
    pub(super) connection: Vec<Arc<Toxic>>,
    /// On the connection before it has an upstream.
    pub(super) opening: Vec<Arc<Toxic>>,
    held: Held,
}

impl ToxicSet {
    pub(super) fn new(toxics: &[Arc<Toxic>]) -> Arc<Self> {
        let select = |applies: &dyn Fn(&Toxic) -> bool| {
            let mut selected: Vec<_> = toxics
                .iter()
                .filter(|toxic| applies(toxic))
                .map(Arc::clone)
                .collect();
            selected.sort_by_key(|toxic| toxic.id);
            selected
        };
        let reaches = |reach: Reach| select(&|toxic| toxic.attributes.reach() == reach);
        let stream = |stream: Stream| {
            select(&|toxic| match toxic.attributes.reach() {
                Reach::Stream => toxic.stream == stream,
                Reach::Both => true,
                Reach::Connection | Reach::Opening => false,
            })
        };
        Arc::new(Self {
            upstream: stream(Stream::Upstream),
            downstream: stream(Stream::Downstream),
            connection: reaches(Reach::Connection),
            opening: reaches(Reach::Opening),
            held: Held::default(),
        })
    }
}

/// All the resets of live connections so far. A connection belongs to the one it began after, or that spared it.
#[derive(Debug, Default)]
pub(super) struct Resets {
    number: u64,
    /// The connections that this one is for; `None`: all.
    chosen: Option<BTreeSet<u64>>,
    /// Connections that this one has reset.
    met: AtomicU64,
    held: Held,
}

impl Resets {
    /// Whether a connection that belongs to `earlier` is to be reset; counts it if so.
    pub(super) fn hits(&self, earlier: &Self, connection: u64) -> bool {
        let chosen = self.chosen.as_ref();
        let hit = self.number != earlier.number
            && chosen.is_none_or(|chosen| chosen.contains(&connection));
        if hit {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
        hit
    }
}

/// Tells when the last owner of what it is part of has gone.
#[derive(Debug)]
struct Held {
    released: CancellationToken,
    _releases: DropGuard,
}

impl Default for Held {
    fn default() -> Self {
        let released = CancellationToken::new();
        Self {
            _releases: released.clone().drop_guard(),
            released,
        }
    }
}

/// The latest word to a proxy's connections.
#[derive(Debug, Clone)]
pub(super) enum Order {
    Carry {
        toxics: Arc<ToxicSet>,
        resets: Arc<Resets>,
    },
    Stop,
}

/// The proxy's end of the line to its connections.
#[derive(Debug)]
pub(super) struct Orders(watch::Sender<Order>);

impl Orders {
    pub(super) fn new(toxics: &[Arc<Toxic>]) -> Self {
        Self(watch::Sender::new(Order::Carry {
            toxics: ToxicSet::new(toxics),
            resets: Arc::default(),
        }))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Order> {
        self.0.subscribe()
    }

    /// Puts these toxics in force and waits until every live connection has them.
    pub(super) async fn apply(&self, toxics: &[Arc<Toxic>]) -> Result<(), Refusal> {
        let mut retired = None;
        self.0.send_if_modified(|order| match order {
            Order::Stop => false,
            Order::Carry {
                toxics: in_force, ..
            } => {
                retired = Some(in_force.held.released.clone());
                *in_force = ToxicSet::new(toxics);
                true
            }
        });
        taken_up(retired).await
    }

    /// Resets live connections, and answers how many there were once they are gone. `choose` says which, by the number of
    /// the reset; `None`: all.
    pub(super) async fn reset(
        &self,
        choose: impl FnOnce(u64) -> Option<BTreeSet<u64>>,
    ) -> Result<u64, Refusal> {
        let mut changed = None;
        self.0.send_if_modified(|order| match order {
            Order::Stop => false,
            Order::Carry { resets, .. } => {
                let number = resets.number + 1;
                let next = Arc::new(Resets {
                    number,
                    chosen: choose(number),
                    ..Resets::default()
                });
                changed = Some((resets.held.released.clone(), Arc::clone(&next)));
                *resets = next;
                true
            }
        });
        let Some((released, next)) = changed else {
            return Ok(0);
        };
        taken_up(Some(released)).await?;
        Ok(next.met.load(Ordering::Relaxed))
    }

    pub(super) fn stop(&self) {
        self.0.send_replace(Order::Stop);
    }
}

async fn taken_up(released: Option<CancellationToken>) -> Result<(), Refusal> {
    let Some(released) = released else {
        return Ok(());
    };
    timeout(TAKE_UP_MAX, released.cancelled())
        .await
        .map_err(|_elapsed| Refusal::Slow)
}

#[cfg(test)]
mod tests {
    use super::{Order, Orders, TAKE_UP_MAX};
    use std::{sync::Arc, time::Duration};
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_change_has_arrived_when_the_last_connection_lets_go_of_the_old_set() {
        let orders = Orders::new(&[]);
        let holders: Vec<_> = (0..3)
            .map(|_| match &*orders.subscribe().borrow() {
                Order::Carry { toxics, .. } => Arc::clone(toxics),
                Order::Stop => panic!("stopped"),
            })
            .collect();
        let mut change = std::pin::pin!(orders.apply(&[]));
        for holder in holders {
            let early = timeout(Duration::from_millis(5), change.as_mut()).await;
            assert!(early.is_err(), "answered before the change had arrived");
            drop(holder);
        }
        let arrived = timeout(TAKE_UP_MAX, change).await;
        assert!(arrived.is_ok_and(|applied| applied.is_ok()));
    }
}
