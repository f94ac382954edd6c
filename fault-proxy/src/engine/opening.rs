//! The time between a client's connect and its connection to the upstream.
//!
//! **In:** an accepted client, the toxics that act on new connections, the upstream's address.
//! **Out:** both sockets, or why there is no connection. Without such a toxic it is just a dial.

use super::{
    connection::reset,
    orders::{Order, ToxicSet},
    stage::Identity,
    traffic::Reason,
};
use crate::toxic::Opening;
use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

/// An upstream that does not answer: the kernel's own limit is about as long.
const DIAL_MAX: Duration = Duration::from_mins(2);

/// What the opening toxics have decided for one connection so far.
struct Gate<'a> {
    identity: &'a Identity,
    accepted_at: Instant,
    /// It was held back already: `refuse` is for those that come, not for those that wait.
    waited: bool,
    /// Toxics that have affected this connection, so that each counts it once.
    counted: Vec<u64>,
}

enum Verdict {
    Pass,
    Refuse,
    /// Not yet; ask again then, or when the toxics change.
    Wait(Option<Instant>),
}

/// Takes the client past the toxics, then connects to `upstream`.
pub(super) async fn open(
    client: &mut Option<TcpStream>,
    upstream: &str,
    identity: &Identity,
    orders: &mut watch::Receiver<Order>,
) -> Result<TcpStream, Reason> {
    let mut gate = Gate {
        identity,
        accepted_at: Instant::now(),
        waited: false,
        counted: Vec::new(),
    };
    loop {
        let verdict = match &*orders.borrow_and_update() {
            Order::Stop => return Err(Reason::Down),
            Order::Carry { toxics, .. } => gate.judge(toxics),
        };
        let due = match verdict {
            Verdict::Pass => break,
            Verdict::Refuse => {
                if let Some(refused) = client.take() {
                    reset(refused);
                }
                return Err(Reason::Toxic);
            }
            Verdict::Wait(due) => due,
        };
        let Some(waiting) = client.as_ref() else {
            return Err(Reason::Client);
        };
        gate.waited = true;
        tokio::select! {
            changed = orders.changed() => if changed.is_err() {
                return Err(Reason::Down);
            },
            () = at(due) => {}
            () = gone(waiting, due.is_some()) => return Err(Reason::Client),
        }
    }
    if gate.waited {
        *client = client
            .take()
            .map(watched_anew)
            .transpose()
            .map_err(|error| {
                tracing::debug!(%error, "a client was gone before it was carried on");
                Reason::Client
            })?;
    }
    dial(upstream).await.map_err(|error| {
        tracing::debug!(proxy = %identity.proxy, %upstream, %error, "upstream not reached");
        Reason::Unreached
    })
}

impl Gate<'_> {
    fn judge(&mut self, set: &Arc<ToxicSet>) -> Verdict {
        let mut waits = Verdict::Pass;
        for toxic in &set.opening {
            if self.identity.luck(toxic).0 >= toxic.toxicity {
                continue;
            }
            match toxic.attributes.opening() {
                None => continue,
                Some(Opening::Refused) => {
                    if !self.waited && toxic.refuses_one_more() {
                        return Verdict::Refuse;
                    }
                    continue;
                }
                Some(Opening::Never) => waits = Verdict::Wait(None),
                Some(Opening::After(delay)) => {
                    let due = self.accepted_at + delay;
                    waits = match waits {
                        Verdict::Wait(None) => Verdict::Wait(None),
                        Verdict::Wait(Some(later)) => Verdict::Wait(Some(later.max(due))),
                        _ if due > Instant::now() => Verdict::Wait(Some(due)),
                        other => other,
                    };
                }
            }
            if !self.counted.contains(&toxic.id) {
                self.counted.push(toxic.id);
                toxic.tally.count();
            }
        }
        waits
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// Returns when the peer has broken the connection or, unless it is `carried_on` in the end, has closed
/// it: the last word of a client that waits for its answer looks the same. Reads nothing.
async fn gone(client: &TcpStream, carried_on: bool) {
    if carried_on {
        drop(client.ready(Interest::ERROR).await);
        return;
    }
    while let Ok(ready) = client.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        // Bytes have come and stay where they are: wait for the next event, not for this one again.
        let nothing = client.try_io(Interest::READABLE, || -> io::Result<()> {
            Err(io::ErrorKind::WouldBlock.into())
        });
        debug_assert!(nothing.is_err(), "it always says that it would block");
    }
}

/// Registers the socket anew, so that bytes that came while nobody read are announced again.
fn watched_anew(client: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(client.into_std()?)
}

async fn dial(upstream: &str) -> io::Result<TcpStream> {
    let dialled = match upstream.parse::<SocketAddr>() {
        Ok(address) => timeout(DIAL_MAX, TcpStream::connect(address)).await,
        Err(_) => timeout(DIAL_MAX, TcpStream::connect(upstream)).await,
    };
    dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
}
