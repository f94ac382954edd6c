//! One connection: two sockets, a link in each direction, and one task that owns them all.
//!
//! **In:** an accepted client, the upstream's address, orders. **Out:** nothing; when the task ends
//! both sockets are closed.
//!
//! When one direction ends, its destination is closed altogether, and the other direction ends
//! once what it holds is written: a half-closed connection does not exist here, as in Toxiproxy.
//! A reset closes both sockets at once, with `SO_LINGER` 0 set just before.

use super::{
    link::{Ends, Link},
    orders::{Order, ToxicSet},
    stage::Identity,
};
use crate::Stream;
use socket2::SockRef;
use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep_until, timeout},
};

/// An upstream that does not answer: the kernel's own limit is about as long.
const DIAL_MAX: Duration = Duration::from_mins(2);

/// Connects `client` to `upstream` and carries bytes until either ends or the proxy stops.
pub(super) async fn run(
    client: TcpStream,
    upstream: Arc<str>,
    identity: Identity,
    mut orders: watch::Receiver<Order>,
) {
    let dialled = tokio::select! {
        biased;
        _stopped = orders.wait_for(|order| matches!(order, Order::Stop)) => return,
        dialled = dial(&upstream) => dialled,
    };
    let server = match dialled.and_then(|server| {
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        Ok(server)
    }) {
        Ok(server) => server,
        Err(error) => {
            tracing::debug!(proxy = %identity.proxy, %upstream, %error, "upstream not reached");
            return;
        }
    };
    let mut connection = Connection::new(client, server, identity);
    let mut in_force: Option<Arc<ToxicSet>> = None;
    loop {
        let set = match &*orders.borrow_and_update() {
            Order::Stop => return,
            Order::Apply(set) => Arc::clone(set),
        };
        connection.apply(&set);
        // The old set is let go of only after a poll: by then what it held back is on its way.
        let mut replaced = in_force.replace(set);
        let ended = tokio::select! {
            biased;
            changed = orders.changed() => changed.is_err(),
            () = poll_fn(|cx| {
                let ended = connection.poll(cx);
                replaced = None;
                ended
            }) => true,
        };
        if ended {
            return;
        }
    }
}

async fn dial(upstream: &str) -> io::Result<TcpStream> {
    let dialled = match upstream.parse::<SocketAddr>() {
        Ok(address) => timeout(DIAL_MAX, TcpStream::connect(address)).await,
        Err(_) => timeout(DIAL_MAX, TcpStream::connect(upstream)).await,
    };
    dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
}

struct Connection {
    client: Option<TcpStream>,
    server: Option<TcpStream>,
    /// From the client to the server.
    up: Link,
    /// From the server to the client.
    down: Link,
    identity: Identity,
    /// Made when a toxic first waits for a time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn new(client: TcpStream, server: TcpStream, identity: Identity) -> Self {
        Self {
            client: Some(client),
            server: Some(server),
            up: Link::new(Stream::Upstream),
            down: Link::new(Stream::Downstream),
            identity,
            timer: None,
        }
    }

    fn apply(&mut self, set: &ToxicSet) {
        self.up.apply(&set.upstream, &self.identity);
        self.down.apply(&set.downstream, &self.identity);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.up.poll(
                cx,
                Ends {
                    source: self.client.as_mut(),
                    destination: self.server.as_mut(),
                },
            );
            if self.up.is_finished() && !self.up.resets() && self.server.take().is_some() {
                self.down.abandon();
            }
            self.down.poll(
                cx,
                Ends {
                    source: self.server.as_mut(),
                    destination: self.client.as_mut(),
                },
            );
            if self.up.resets() || self.down.resets() {
                self.reset();
                return Poll::Ready(());
            }
            if self.down.is_finished() && self.client.take().is_some() {
                self.up.abandon();
                continue;
            }
            if self.client.is_none() && self.server.is_none() {
                return Poll::Ready(());
            }
            let due = match (self.up.due(), self.down.due()) {
                (Some(up), Some(down)) => up.min(down),
                (Some(due), None) | (None, Some(due)) => due,
                (None, None) => return Poll::Pending,
            };
            if self.poll_timer(cx, due).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }

    /// Closes both sockets so that both peers see a reset.
    fn reset(&mut self) {
        for socket in [self.client.take(), self.server.take()]
            .into_iter()
            .flatten()
        {
            if let Err(error) = SockRef::from(&socket).set_linger(Some(Duration::ZERO)) {
                tracing::debug!(%error, "a socket was gone before it could be reset");
            }
        }
    }
}
