//! The task that owns a running proxy's listener and connections.
//!
//! **In:** a bound listener. **Out:** nothing; when the task ends, the listener was closed first
//! and then every connection, so that nobody is accepted by a proxy that is going down.

use super::{connection, orders::Orders, stage::Identity};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Pause after a failed accept, so that a lack of file descriptors is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Connections end as soon as they are scheduled; after this they are ended by force.
const CLOSE_MAX: Duration = Duration::from_secs(4);
/// Open connections of one proxy; each takes two files, so the system's limit is met first.
const CONNECTIONS_MAX: usize = 500_000;

pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) upstream: Arc<str>,
    pub(super) proxy: Arc<str>,
    pub(super) seed: u64,
    /// Connections accepted so far, over all the times this proxy was up.
    pub(super) accepted: Arc<AtomicU64>,
    pub(super) orders: Arc<Orders>,
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
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    match accepted {
                        Ok((client, _peer)) => {
                            connections.spawn(connection::run(
                                client,
                                Arc::clone(&self.upstream),
                                self.identity(),
                                self.orders.subscribe(),
                            ));
                        }
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

    fn identity(&self) -> Identity {
        Identity {
            seed: self.seed,
            proxy: Arc::clone(&self.proxy),
            connection: self.accepted.fetch_add(1, Ordering::Relaxed),
        }
    }
}
