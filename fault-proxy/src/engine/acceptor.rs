//! The task that owns a running proxy's listener and connections.
//!
//! **In:** a bound listener. **Out:** nothing; when the task ends, the listener was closed first
//! and then every connection, so that nobody is accepted by a proxy that is going down.

use super::{
    connection::{self, Accepted, Means},
    ends::reset,
    events::{Event, Events},
    hops::{HOPS_MAX, canonical},
    opening::Dial,
    orders::{Order, Orders},
    places::Place,
    shares::Shares,
    stage::Identity,
    traffic::{Reason, Traffic},
};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Pause after a failed accept, so that a lack of file descriptors is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Connections end as soon as they are scheduled; after this they are ended by force.
const CLOSE_MAX: Duration = Duration::from_secs(4);

pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) upstream: Arc<str>,
    pub(super) proxy: Arc<str>,
    pub(super) seed: u64,
    pub(super) traffic: Arc<Traffic>,
    pub(super) events: Events,
    pub(super) shares: Shares,
    pub(super) orders: Arc<Orders>,
    /// Whether one direction of a connection may go on without the other.
    pub(super) half_close: Arc<AtomicBool>,
    pub(super) stop: CancellationToken,
}

impl Acceptor {
    pub(super) async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(proxy = %self.proxy, %error, "a connection's task failed");
                    }
                }
                accepted = self.listener.accept() => {
                    match accepted {
                        // A client of IPv4 is one, whatever the socket is.
                        Ok((client, peer)) => self.carry(client, canonical(peer), &mut connections),
                        Err(error) => {
                            tracing::warn!(proxy = %self.proxy, %error, "cannot accept");
                            sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            }
        }
        drop(self.listener);
        self.orders.stop();
        let closed = timeout(CLOSE_MAX, async {
            while connections.join_next().await.is_some() {}
        });
        if closed.await.is_err() {
            tracing::warn!(proxy = %self.proxy, "connections had to be ended by force");
            connections.shutdown().await;
        }
    }

    fn carry(&self, client: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let orders = self.orders.subscribe();
        let resets = match &*orders.borrow() {
            Order::Carry { resets, .. } => Arc::clone(resets),
            Order::Stop => return,
        };
        let (number, open) = self.traffic.accept();
        self.events.tell(&self.proxy, || Event::ConnectionOpened {
            connection: number,
            client: peer,
        });
        let (place, dial) = match self.admit(&client, peer, connections.len()) {
            Ok(admitted) => admitted,
            Err(reason) => {
                reset(client);
                drop(open);
                return closed(&self.traffic, &self.events, &self.proxy, (number, reason));
            }
        };
        let accepted = Accepted {
            client,
            place,
            dial,
            identity: Identity {
                seed: self.seed,
                proxy: Arc::clone(&self.proxy),
                connection: number,
            },
            means: Means {
                traffic: Arc::clone(&self.traffic),
                budget: Arc::clone(&self.shares.budget),
                pacer: Arc::clone(&self.shares.pacer),
                half_close: Arc::clone(&self.half_close),
            },
            orders,
            resets,
        };
        let (traffic, events) = (Arc::clone(&self.traffic), self.events.clone());
        let proxy = Arc::clone(&self.proxy);
        connections.spawn(async move {
            let reason = connection::run(accepted).await;
            drop(open);
            closed(&traffic, &events, &proxy, (number, reason));
        });
    }

    /// Gives a connection its place and its way on, or says why it has none.
    fn admit(
        &self,
        client: &TcpStream,
        peer: SocketAddr,
        carried: usize,
    ) -> Result<(Place, Dial), Reason> {
        let local = client.local_addr().map_err(|_gone| Reason::Client)?;
        let before = self.shares.hops.before(peer, local);
        if before >= HOPS_MAX {
            tracing::warn!(
                proxy = %self.proxy,
                "a connection came through {before} proxies: do they lead back to themselves?"
            );
            return Err(Reason::Loop);
        }
        let dial = Dial {
            upstream: Arc::clone(&self.upstream),
            hops: Arc::clone(&self.shares.hops),
            number: before + 1,
        };
        let place = self.shares.places.connection(carried);
        place.map(|place| (place, dial)).ok_or(Reason::Full)
    }
}

fn closed(
    traffic: &Traffic,
    events: &Events,
    proxy: &Arc<str>,
    (connection, reason): (u64, Reason),
) {
    traffic.close(reason);
    events.tell(proxy, || Event::ConnectionClosed { connection, reason });
}
