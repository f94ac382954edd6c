//! The accept loop: one task per connection, with a limit on their number, rate and time.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::places::{Activity, Phase, Place, Places, Timeouts};
use super::reply::error;
use super::upgrade::Gate;
use super::watch::Watched;
use super::{head, upgrade};
use crate::bound::{self, Allowance, Buckets, Client, Peers, Tally};
use crate::session;
use crate::session::Sessions;
use crate::socket::Transport;

/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;
/// Bytes of a request's headers.
const HEADER_BYTES: usize = 16 * 1024;
/// Until accepting is tried again where the process has no file descriptor left.
pub(super) const NO_FILES_PAUSE: Duration = Duration::from_millis(50);
/// How long, and for how many bytes, a peer may go on sending after the last answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 32 << 20;
/// Addresses whose rate is remembered.
const ADDRESSES: usize = 65_536;

/// A listening socket whose connections inherit the send buffer.
pub(crate) fn bind(address: SocketAddr, send_buffer: usize) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(send_buffer)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What connections are served by.
pub(crate) struct Server {
    /// What a connection becomes.
    pub(crate) sessions: Arc<Sessions>,
    /// Whose address a connection counts for.
    pub(crate) peers: Peers,
    /// Everything that is not an upgrade.
    pub(crate) router: Router,
    /// Judges upgrades.
    pub(crate) gate: Gate,
}

/// What every connection is served with.
struct Acceptor {
    server: Server,
    places: Arc<Places>,
    /// HTTP connections of one address.
    by_address: Arc<Tally<IpAddr>>,
    timeouts: Timeouts,
}

/// What a connection occupies until it ends or is a socket.
struct Seat {
    place: Place,
    _of_address: Option<bound::Place<IpAddr>>,
}

impl Acceptor {
    fn new(server: Server) -> Self {
        let (limits, bound) = (
            &server.sessions.config.socket,
            &server.sessions.config.bound,
        );
        Self {
            places: Places::new(bound.max_http_connections, bound.keep_alive),
            by_address: Tally::new(bound.http_per_address),
            timeouts: Timeouts {
                idle: bound.keep_alive,
                asking: limits.header_timeout,
                reading: limits.handshake_timeout,
            },
            server,
        }
    }

    /// A seat for a newcomer, or why there is none.
    async fn seat(&self, client: Client) -> Result<Seat, &'static str> {
        let of_address = client.0.map(|address| self.by_address.place(address));
        if matches!(of_address, Some(None)) {
            return Err("address");
        }
        let place = self.places.enter().await.ok_or("full")?;
        Ok(Seat {
            place,
            _of_address: of_address.flatten(),
        })
    }

    fn dropped(&self, reason: &str) {
        let dropped = &self.server.sessions.metrics.connections_dropped;
        dropped.with_label_values(&[reason]).inc();
    }
}

/// Accepts until the shutdown. The tasks belong to `tasks`.
pub(crate) async fn accept(server: Server, listener: TcpListener, tasks: TaskTracker) {
    let per_s = server.sessions.config.socket.connect_rate;
    let burst = per_s.max(1.0);
    let mut connects = Buckets::new(Allowance { per_s, burst }, ADDRESSES);
    let acceptor = Arc::new(Acceptor::new(server));
    let server = &acceptor.server;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.sessions.stopping.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(problem) => {
                tracing::warn!(%problem, "not accepted");
                if matches!(problem.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                    // Those who only hold a connection give theirs to those who wait.
                    acceptor.places.thin_out();
                }
                tokio::time::sleep(NO_FILES_PAUSE).await;
                continue;
            }
        };
        let client = server.peers.of_connection(peer.ip());
        if let Client(Some(address)) = client
            && connects.take(address, Instant::now()).is_err()
        {
            acceptor.dropped("rate");
            continue;
        }
        let seat = match acceptor.seat(client).await {
            Ok(seat) => seat,
            Err(reason) => {
                acceptor.dropped(reason);
                continue;
            }
        };
        if let Err(problem) = stream.set_nodelay(true) {
            tracing::debug!(%problem, "gone before it was served");
            continue;
        }
        let (acceptor, sockets) = (Arc::clone(&acceptor), tasks.clone());
        tasks.spawn(async move {
            // The HTTP part is large and short, the socket small and long: each gets a task of its
            // own size.
            let activity = &seat.place.activity;
            let upgraded = tokio::select! {
                upgraded = upgrade(&acceptor, activity, (stream, peer.ip())) => upgraded,
                () = activity.asked_to_leave() => return acceptor.dropped("crowd"),
            };
            if let Some(upgraded) = upgraded {
                upgraded.live_on(&sockets, Arc::clone(&acceptor.server.sessions), seat);
            }
        });
    }
}

struct Upgraded<S> {
    stream: S,
    early: bytes::Bytes,
    verdict: upgrade::Verdict,
}

impl<S> Upgraded<S> {
    fn over<T>(self, make: impl FnOnce(S) -> T) -> Upgraded<T> {
        Upgraded {
            stream: make(self.stream),
            early: self.early,
            verdict: self.verdict,
        }
    }
}

impl Upgraded<Transport> {
    /// Goes on as a task of its own: a socket gives its `seat` up, a refused one keeps it to its
    /// end.
    fn live_on(self, sockets: &TaskTracker, sessions: Arc<Sessions>, seat: Seat) {
        let Self {
            stream,
            early,
            verdict,
        } = self;
        match verdict {
            Ok(opening) => sockets.spawn(session::run(sessions, stream, (early, seat), opening)),
            Err(refused) => sockets.spawn(async move {
                let activity = &seat.place.activity;
                activity.begin(Phase::Leaving);
                tokio::select! {
                    () = session::refuse(sessions, stream, early, refused) => {}
                    () = activity.asked_to_leave() => {}
                }
            }),
        };
    }
}

/// Serves requests until the connection ends or becomes a socket.
async fn upgrade(
    acceptor: &Acceptor,
    activity: &Arc<Activity>,
    (stream, peer): (TcpStream, IpAddr),
) -> Option<Upgraded<Transport>> {
    if let Some(config) = &acceptor.server.sessions.config.tls {
        let handshake = TlsAcceptor::from(Arc::clone(config)).accept(stream);
        return Box::pin(serve_tls(acceptor, activity, (handshake, peer))).await;
    }
    let upgraded = serve(acceptor, activity, (stream, peer)).await?;
    Some(upgraded.over(Transport::plain))
}

/// The same over TLS, once the handshake is done.
async fn serve_tls(
    acceptor: &Acceptor,
    activity: &Arc<Activity>,
    (handshake, peer): (tokio_rustls::Accept<TcpStream>, IpAddr),
) -> Option<Upgraded<Transport>> {
    let limit = acceptor.server.sessions.config.socket.handshake_timeout;
    let stream = match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(stream)) => stream,
        failed => {
            let problem = failed.ok().and_then(Result::err);
            tracing::debug!(?problem, "no TLS handshake");
            acceptor.dropped("tls");
            return None;
        }
    };
    activity.restart();
    let upgraded = serve(acceptor, activity, (stream, peer)).await?;
    Some(upgraded.over(|stream| {
        let (stream, session) = stream.into_inner();
        Transport::tls(stream, session)
    }))
}

/// Serves HTTP until the connection ends or is upgraded.
async fn serve<S>(
    acceptor: &Acceptor,
    activity: &Arc<Activity>,
    (stream, peer): (S, IpAddr),
) -> Option<Upgraded<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let verdict: Arc<std::sync::Mutex<Cell<Option<upgrade::Verdict>>>> = Arc::default();
    let server = &acceptor.server;
    let limit = server.sessions.config.socket.handshake_timeout;
    let limit = server.sessions.config.defects.answer_within(limit);
    let service = service_fn(|request: Request<Incoming>| {
        activity.begin(Phase::Served);
        let verdict = Arc::clone(&verdict);
        Box::pin(async move {
            // Who asks many things at once takes turns with the others.
            tokio::task::yield_now().await;
            let answered = tokio::time::timeout(limit, respond(acceptor, request, peer)).await;
            let (response, decided) =
                answered.unwrap_or_else(|_| (error(StatusCode::REQUEST_TIMEOUT, "timeout"), None));
            verdict
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .set(decided);
            activity.begin(Phase::Reading);
            Ok::<_, Infallible>(response)
        })
    });
    let watched = TokioIo::new(Watched::new(stream, Arc::clone(activity)));
    let mut connection = builder().serve_connection(watched, service);
    let serving = |context: &mut Context<'_>| connection.poll_without_shutdown(context);
    let ended = tokio::select! {
        ended = in_time(activity, &acceptor.timeouts, serving) => ended,
        // An open keep-alive connection does not hold up the shutdown.
        () = server.sessions.stopping.cancelled() => return None,
    };
    let Some(ended) = ended else {
        acceptor.dropped("time");
        return None;
    };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner().into_inner();
    let decided = verdict
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .take();
    let (Ok(()), Some(decided)) = (ended, decided) else {
        activity.begin(Phase::Leaving);
        linger(stream).await;
        return None;
    };
    Some(Upgraded {
        stream,
        // A copy: even an empty rest would keep the whole read buffer of the request alive.
        early: bytes::Bytes::copy_from_slice(&parts.read_buf),
        verdict: decided,
    })
}

/// How HTTP is spoken here. Time is kept by [`in_time`]: the library knows one limit for waiting
/// and for asking.
pub(super) fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(HEADER_BYTES);
    builder
}

/// What `poll` comes to, or nothing where a phase of the connection takes longer than it may.
pub(super) async fn in_time<T>(
    activity: &Activity,
    timeouts: &Timeouts,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let mut alarm = pin!(tokio::time::sleep(timeouts.asking));
    poll_fn(|context| {
        if let Poll::Ready(ended) = poll(context) {
            return Poll::Ready(Some(ended));
        }
        while let Some(left) = activity.left(timeouts) {
            if left.is_zero() {
                return Poll::Ready(None);
            }
            alarm.as_mut().reset(tokio::time::Instant::now() + left);
            ready!(alarm.as_mut().poll(context));
        }
        Poll::Pending
    })
    .await
}

/// Lets the peer read the last answer: what it is still sending would otherwise be answered by a
/// reset that overtakes it.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let rest = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    if let Ok(Err(problem)) = tokio::time::timeout(LINGER, rest).await {
        tracing::trace!(%problem, "the peer was gone before the end");
    }
}

async fn respond(
    acceptor: &Acceptor,
    mut request: Request<Incoming>,
    peer: IpAddr,
) -> (Response, Option<upgrade::Verdict>) {
    if let Some(response) = head::flaw(&request) {
        return (response, None);
    }
    let server = &acceptor.server;
    let client = server.peers.of_request(peer, request.headers());
    if request.uri().path().starts_with("/ws/") {
        return upgrade::answer(&server.gate, &request, client).await;
    }
    request.extensions_mut().insert(client);
    let Ok(response) = server.router.clone().call(request.map(Body::new)).await;
    (response, None)
}
