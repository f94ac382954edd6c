//! What a proxy tells its live connections, and how it learns that they have listened.
//!
//! Every connection holds the set of toxics it applies. When the last one has let go of an old
//! set, the change has reached all of them; nobody has to count acknowledgements.

use crate::{Stream, refusal::Refusal, toxic::Toxic};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Connections take a change up as soon as they are scheduled; this is for a starved machine.
const TAKE_UP_MAX: Duration = Duration::from_secs(4);

/// The toxics in force, each direction in the order of creation.
#[derive(Debug)]
pub(super) struct ToxicSet {
    pub(super) upstream: Vec<Arc<Toxic>>,
    pub(super) downstream: Vec<Arc<Toxic>>,
    retired: CancellationToken,
    _retires: DropGuard,
}

impl ToxicSet {
    pub(super) fn new(toxics: &[Arc<Toxic>]) -> Arc<Self> {
        let of = |stream: Stream| {
            let matching = toxics.iter().filter(|toxic| toxic.stream == stream);
            matching.map(Arc::clone).collect()
        };
        let retired = CancellationToken::new();
        Arc::new(Self {
            upstream: of(Stream::Upstream),
            downstream: of(Stream::Downstream),
            retired: retired.clone(),
            _retires: retired.drop_guard(),
        })
    }
}

/// The latest word to a proxy's connections.
#[derive(Debug, Clone)]
pub(super) enum Order {
    Apply(Arc<ToxicSet>),
    Stop,
}

/// The proxy's end of the line to its connections.
#[derive(Debug)]
pub(super) struct Orders(watch::Sender<Order>);

impl Orders {
    pub(super) fn new(toxics: &[Arc<Toxic>]) -> Self {
        Self(watch::Sender::new(Order::Apply(ToxicSet::new(toxics))))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Order> {
        self.0.subscribe()
    }

    /// Puts these toxics in force and waits until every live connection has them.
    pub(super) async fn apply(&self, toxics: &[Arc<Toxic>]) -> Result<(), Refusal> {
        let old = self.0.send_replace(Order::Apply(ToxicSet::new(toxics)));
        let Order::Apply(old_set) = old else {
            return Ok(());
        };
        let retired = old_set.retired.clone();
        drop(old_set);
        timeout(TAKE_UP_MAX, retired.cancelled())
            .await
            .map_err(|_elapsed| Refusal::Slow)
    }

    pub(super) fn stop(&self) {
        self.0.send_replace(Order::Stop);
    }
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
                Order::Apply(set) => Arc::clone(set),
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
