//! One connection: two sockets, a link in each direction, and one task that owns them all.
//!
//! **In:** an accepted client, the upstream's address, orders. **Out:** why it ended; by then both
//! sockets are closed.
//!
//! When one direction ends, its destination is closed altogether, and the other direction ends
//! once what it holds is written: a half-closed connection does not exist here, as in Toxiproxy. A
//! proxy that is told to passes the end of one direction on as such and waits for that of the other.
//! A reset closes both sockets at once, with `SO_LINGER` 0 set just before.

use super::{
    ends::{Destination, Ends, reset},
    held::{Budget, Held},
    limits::Limits,
    link::{Cause, Link},
    opening::{self, Dial},
    orders::{Order, Resets, ToxicSet},
    pacer::{Alarm, Pacer},
    places::Place,
    stage::Identity,
    traffic::{Reason, Traffic},
};
use crate::Stream;
use socket2::SockRef;
use std::{
    future::poll_fn,
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{net::TcpStream, sync::watch, time::Instant};

/// Everything a connection is born with.
pub(super) struct Accepted {
    pub(super) client: TcpStream,
    /// Given back when the connection has ended.
    pub(super) place: Place,
    pub(super) dial: Dial,
    pub(super) identity: Identity,
    pub(super) means: Means,
    pub(super) orders: watch::Receiver<Order>,
    /// The last reset before this connection.
    pub(super) resets: Arc<Resets>,
}

/// What it has in common with others.
pub(super) struct Means {
    pub(super) traffic: Arc<Traffic>,
    pub(super) budget: Arc<Budget>,
    pub(super) pacer: Arc<Pacer>,
    /// Whether one direction may go on without the other.
    pub(super) half_close: Arc<AtomicBool>,
}

/// Connects the client to its upstream and carries bytes until something ends it.
pub(super) async fn run(accepted: Accepted) -> Reason {
    let Accepted {
        client,
        place: _place,
        dial,
        identity,
        means,
        mut orders,
        mut resets,
    } = accepted;
    let number = identity.connection;
    let mut client = Some(client);
    let mut ordered = orders.clone();
    // Dropping what is half open loses nothing: no byte has been read.
    let (server, _leg) = tokio::select! {
        biased;
        reason = interrupted(&mut ordered, &mut resets, number) => {
            if let (Reason::ResetNow, Some(client)) = (reason, client.take()) {
                reset(client);
            }
            return reason;
        }
        opened = opening::open(&mut client, &dial, (&identity, &means.pacer), &mut orders) => match opened {
            Ok(server) => server,
            Err(reason) => return reason,
        },
    };
    drop(ordered);
    let sockets = client
        .ok_or(Reason::Client)
        .and_then(|client| undelayed(client, server));
    let (client, server) = match sockets {
        Ok(sockets) => sockets,
        Err(reason) => return reason,
    };
    let mut connection = Connection::new((client, server), identity, means);
    let mut in_force: Option<Arc<ToxicSet>> = None;
    loop {
        let set = match &*orders.borrow_and_update() {
            Order::Stop => return Reason::Down,
            Order::Carry { resets: now, .. } if now.hits(&resets, number) => {
                connection.reset();
                return Reason::ResetNow;
            }
            Order::Carry {
                toxics,
                resets: now,
            } => {
                // Spared, or nothing was reset.
                resets = Arc::clone(now);
                Arc::clone(toxics)
            }
        };
        connection.apply(&set);
        // The old set is let go of only after a poll: by then what it held back is on its way.
        let mut replaced = in_force.replace(set);
        let ended = tokio::select! {
            biased;
            changed = orders.changed() => changed.is_err().then_some(Reason::Down),
            reason = poll_fn(|cx| {
                let ended = connection.poll(cx);
                replaced = None;
                ended
            }) => Some(reason),
        };
        if let Some(reason) = ended {
            return reason;
        }
    }
}

/// Returns when the proxy stops or this connection is reset; one that is spared belongs to the new reset.
async fn interrupted(
    orders: &mut watch::Receiver<Order>,
    resets: &mut Arc<Resets>,
    number: u64,
) -> Reason {
    loop {
        match &*orders.borrow_and_update() {
            Order::Stop => return Reason::Down,
            Order::Carry { resets: now, .. } if now.hits(resets, number) => {
                return Reason::ResetNow;
            }
            Order::Carry { resets: now, .. } => *resets = Arc::clone(now),
        }
        if orders.changed().await.is_err() {
            return Reason::Down;
        }
    }
}

fn undelayed(client: TcpStream, server: TcpStream) -> Result<(TcpStream, TcpStream), Reason> {
    for (socket, reason) in [(&client, Reason::Client), (&server, Reason::Upstream)] {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a socket was gone as soon as it was connected");
            return Err(reason);
        }
    }
    Ok((client, server))
}

struct Connection {
    client: Option<TcpStream>,
    server: Option<TcpStream>,
    /// From the client to the server.
    up: Link,
    /// From the server to the client.
    down: Link,
    limits: Limits,
    /// When a byte last came from either peer, as far as a limit wants to know.
    last_byte: Instant,
    identity: Identity,
    traffic: Arc<Traffic>,
    /// What ended the first of the two links.
    reason: Option<Reason>,
    /// What the toxics wait for.
    alarm: Alarm,
    half_close: Arc<AtomicBool>,
    /// One direction has ended, and its destination knows.
    half_closed: bool,
}

impl Connection {
    fn new((client, server): (TcpStream, TcpStream), identity: Identity, means: Means) -> Self {
        let Means {
            traffic,
            budget,
            pacer,
            half_close,
        } = means;
        let link = || Link::new(Held::new(Arc::clone(&budget)));
        Self {
            client: Some(client),
            server: Some(server),
            up: link(),
            down: link(),
            limits: Limits::default(),
            last_byte: Instant::now(),
            identity,
            traffic,
            reason: None,
            alarm: Alarm::new(&pacer),
            half_close,
            half_closed: false,
        }
    }

    fn apply(&mut self, set: &ToxicSet) {
        self.up.apply(&set.upstream, &self.identity);
        self.down.apply(&set.downstream, &self.identity);
        self.limits.apply(&set.connection, &self.identity);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        loop {
            let again = self.poll_links(cx);
            if self.up.resets() || self.down.resets() {
                self.reset();
                return Poll::Ready(Reason::Toxic);
            }
            if self.client.is_none() && self.server.is_none() {
                return Poll::Ready(self.reason.unwrap_or(Reason::Down));
            }
            if again {
                continue;
            }
            let limit = self.limits.closes_at(self.last_byte);
            if limit.is_some_and(|at| at <= Instant::now()) {
                (self.client, self.server) = (None, None);
                return Poll::Ready(Reason::Toxic);
            }
            let dues = [self.up.due(), self.down.due(), limit];
            let Some(due) = dues.into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if self.alarm.poll(cx, due).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Polls both links and closes what they have ended; answers whether to poll them again.
    fn poll_links(&mut self, cx: &mut Context<'_>) -> bool {
        let ends = Ends {
            source: self.client.as_mut(),
            destination: Destination(self.server.as_mut()),
            flow: &self.traffic.upstream,
        };
        let mut received = self.up.poll(cx, ends);
        if self.is_to_close(Stream::Upstream) && self.server.take().is_some() {
            self.end(self.up.cause(), (Reason::Client, Reason::Upstream));
            self.down.abandon();
        }
        let ends = Ends {
            source: self.server.as_mut(),
            destination: Destination(self.client.as_mut()),
            flow: &self.traffic.downstream,
        };
        received |= self.down.poll(cx, ends);
        if received && !self.limits.is_empty() {
            self.last_byte = Instant::now();
        }
        if self.is_to_close(Stream::Downstream) && self.client.take().is_some() {
            self.end(self.down.cause(), (Reason::Upstream, Reason::Client));
            // The other socket may have waited for this end.
            return self.up.abandon() | self.half_closed;
        }
        // With both peers gone, what swallows the data of either has nobody left to hide from.
        self.up.is_over() && self.down.is_over() && (self.up.abandon() | self.down.abandon())
    }

    /// Whether the destination of a direction is to be closed. If that is to stay open for the other
    /// direction, it is told.
    fn is_to_close(&mut self, stream: Stream) -> bool {
        let (link, other, destination) = match stream {
            Stream::Upstream => (&self.up, &self.down, &self.server),
            Stream::Downstream => (&self.down, &self.up, &self.client),
        };
        if !link.is_finished() || link.resets() {
            return false;
        }
        let stays = link.is_said() && !other.is_finished();
        if !stays || !self.half_closed && !self.half_close.load(Ordering::Relaxed) {
            return true;
        }
        if !self.half_closed {
            self.half_closed = true;
            let told = destination
                .as_ref()
                .map(|destination| SockRef::from(destination).shutdown(Shutdown::Write));
            if let Some(Err(error)) = told {
                tracing::debug!(%error, "a socket was gone before it heard of the other's end");
                return true;
            }
            self.reason.get_or_insert(match stream {
                Stream::Upstream => Reason::Client,
                Stream::Downstream => Reason::Upstream,
            });
        }
        false
    }

    fn end(&mut self, cause: Option<Cause>, (source, destination): (Reason, Reason)) {
        self.reason.get_or_insert(match cause {
            Some(Cause::Source | Cause::SourceBroken) => source,
            Some(Cause::Destination) => destination,
            Some(Cause::Toxic) | None => Reason::Toxic,
        });
    }

    /// Closes both sockets so that both peers see a reset.
    fn reset(&mut self) {
        let sockets = [self.client.take(), self.server.take()];
        sockets.into_iter().flatten().for_each(reset);
    }
}
