//! The time between a client's connect and its connection to the upstream.
//!
//! **In:** an accepted client, the toxics that act on new connections, the upstream's address.
//! **Out:** both sockets, or why there is no connection. Without such a toxic it is just a dial.

use super::{
    ends::reset,
    hops::{Hops, Leg},
    orders::{Order, ToxicSet},
    pacer::Pacer,
    stage::Identity,
    traffic::Reason,
};
use crate::toxic::Opening;
use socket2::SockRef;
use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::Interest,
    net::{TcpStream, lookup_host},
    sync::watch,
    time::{Instant, timeout},
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

/// Whom to connect to, and how many proxies of this server are on the way.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) upstream: Arc<str>,
    pub(super) hops: Arc<Hops>,
    pub(super) number: u8,
}

enum Verdict {
    Pass,
    Refuse,
    /// Not yet; ask again then, or when the toxics change.
    Wait(Option<Instant>),
}

/// Takes the client past the toxics, then connects to the upstream.
pub(super) async fn open(
    client: &mut Option<TcpStream>,
    dial: &Dial,
    (identity, pacer): (&Identity, &Arc<Pacer>),
    orders: &mut watch::Receiver<Order>,
) -> Result<(TcpStream, Leg), Reason> {
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
            () = at(pacer, due) => {}
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
    let dialled = timeout(DIAL_MAX, dial.connect()).await;
    let dialled = dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    dialled.map_err(|error| {
        let upstream = &dial.upstream;
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

impl Dial {
    /// Tries the upstream's addresses one after the other.
    async fn connect(&self) -> io::Result<(TcpStream, Leg)> {
        if let Ok(address) = self.upstream.parse() {
            return self.connect_to(address).await;
        }
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in lookup_host(&*self.upstream).await? {
            match self.connect_to(address).await {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<(TcpStream, Leg)> {
        let (stream, leg) = self.hops.dial(address, self.number)?;
        stream.writable().await?;
        match SockRef::from(&stream).take_error()? {
            None => Ok((stream, leg)),
            Some(error) => Err(error),
        }
    }
}

async fn at(pacer: &Arc<Pacer>, due: Option<Instant>) {
    match due {
        Some(due) => pacer.at(due).await,
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
