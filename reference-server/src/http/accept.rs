//! The accept loop: one task per connection, with a limit on their number, rate and patience.

use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::{error, upgrade};
use crate::shared::Shared;
use crate::socket;
use crate::socket::Transport;

/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;
/// HTTP connections beside the sockets.
const HTTP_CONNECTIONS: usize = 2048;
/// Bytes of a request's headers.
pub(super) const HEADER_BYTES: usize = 16 * 1024;
/// Until accepting is tried again where the process has no file descriptor left.
pub(super) const NO_FILES_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may idle between requests: longer than the usual clients keep one, so that it is the
/// client that closes it and no request is lost to a close that crosses it.
pub(super) const KEEP_ALIVE: Duration = Duration::from_mins(2);
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

/// Accepts until the shutdown. The tasks belong to `tasks`.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    router: Router,
    tasks: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(
        shared
            .config
            .socket
            .max_connections
            .saturating_add(HTTP_CONNECTIONS)
            .min(Semaphore::MAX_PERMITS),
    ));
    let mut gate = Gate::new(&shared);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(problem) => {
                tracing::warn!(%problem, "not accepted");
                tokio::time::sleep(NO_FILES_PAUSE).await;
                continue;
            }
        };
        let drop_it = |reason: &str| {
            shared
                .metrics
                .connections_dropped
                .with_label_values(&[reason])
                .inc();
        };
        if !gate.allows(peer.ip(), Instant::now()) {
            drop_it("rate");
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            drop_it("full");
            continue;
        };
        if let Err(problem) = stream.set_nodelay(true) {
            tracing::debug!(%problem, "gone before it was served");
            continue;
        }
        let (shared, router, sockets) = (Arc::clone(&shared), router.clone(), tasks.clone());
        tasks.spawn(async move {
            // The HTTP part is large and short, the socket small and long: each gets a task of its own size.
            if let Some(upgraded) = upgrade(&shared, stream, router).await {
                upgraded.live_on(&sockets, shared, place);
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
    /// Goes on as a task of its own, which keeps its `place`.
    fn live_on(self, sockets: &TaskTracker, shared: Arc<Shared>, place: OwnedSemaphorePermit) {
        let Self {
            stream,
            early,
            verdict,
        } = self;
        match verdict {
            Ok(opening) => sockets.spawn(async move {
                socket::run(shared, stream, early, opening).await;
                drop(place);
            }),
            Err(refused) => sockets.spawn(async move {
                socket::refuse(shared, stream, early, refused).await;
                drop(place);
            }),
        };
    }
}

/// Serves requests until the connection ends or becomes a socket.
async fn upgrade(
    shared: &Arc<Shared>,
    stream: TcpStream,
    router: Router,
) -> Option<Upgraded<Transport>> {
    if let Some(config) = &shared.config.tls {
        let acceptor = TlsAcceptor::from(Arc::clone(config));
        return Box::pin(serve_tls(shared, acceptor.accept(stream), router)).await;
    }
    let upgraded = serve(shared, stream, router).await?;
    Some(upgraded.over(Transport::plain))
}

/// The same over TLS, once the handshake is done.
async fn serve_tls(
    shared: &Arc<Shared>,
    handshake: tokio_rustls::Accept<TcpStream>,
    router: Router,
) -> Option<Upgraded<Transport>> {
    let limit = shared.config.socket.handshake_timeout;
    let stream = match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(stream)) => stream,
        failed => {
            let problem = failed.ok().and_then(Result::err);
            tracing::debug!(?problem, "no TLS handshake");
            let dropped = &shared.metrics.connections_dropped;
            dropped.with_label_values(&["tls"]).inc();
            return None;
        }
    };
    let upgraded = serve(shared, stream, router).await?;
    Some(upgraded.over(|stream| {
        let (stream, session) = stream.into_inner();
        Transport::tls(stream, session)
    }))
}

/// Serves HTTP until the connection ends or is upgraded.
async fn serve<S>(shared: &Arc<Shared>, stream: S, router: Router) -> Option<Upgraded<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let verdict: Arc<std::sync::Mutex<Cell<Option<upgrade::Verdict>>>> = Arc::default();
    let limit = shared.config.socket.handshake_timeout;
    let limit = shared.config.defects.answer_within(limit);
    let asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let (shared, router, verdict) = (Arc::clone(shared), router.clone(), Arc::clone(&verdict));
        Box::pin(async move {
            let answered = tokio::time::timeout(limit, respond(&shared, request, router)).await;
            let (response, decided) =
                answered.unwrap_or_else(|_| (error(StatusCode::REQUEST_TIMEOUT, "timeout"), None));
            verdict
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .set(decided);
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let dawdling = async {
        tokio::time::sleep(shared.config.socket.header_timeout).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = dawdling => return None,
        // An open keep-alive connection does not hold up the shutdown.
        () = shared.stopping.cancelled() => return None,
    };
    let parts = connection.into_parts();
    let decided = verdict
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .take();
    let (Ok(()), Some(decided)) = (ended, decided) else {
        linger(parts.io.into_inner()).await;
        return None;
    };
    Some(Upgraded {
        stream: parts.io.into_inner(),
        // A copy: even an empty rest would keep the whole read buffer of the request alive.
        early: bytes::Bytes::copy_from_slice(&parts.read_buf),
        verdict: decided,
    })
}

/// Lets the peer read the last answer: what it is still sending would otherwise be answered by a reset that overtakes it.
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
    shared: &Shared,
    request: Request<Incoming>,
    mut router: Router,
) -> (Response, Option<upgrade::Verdict>) {
    if request.uri().path().starts_with("/ws/") {
        return upgrade::answer(shared, &request).await;
    }
    let Ok(response) = router.call(request.map(Body::new)).await;
    (response, None)
}

/// The connect rate of each address: a token bucket with one second's worth of burst.
struct Gate {
    per_s: f64,
    loopback: bool,
    seen: HashMap<IpAddr, (f64, Instant)>,
}

impl Gate {
    fn new(shared: &Shared) -> Self {
        let limits = &shared.config.socket;
        Self {
            per_s: limits.connect_rate,
            loopback: limits.connect_rate_loopback,
            seen: HashMap::new(),
        }
    }

    fn allows(&mut self, address: IpAddr, now: Instant) -> bool {
        if address.is_loopback() && !self.loopback {
            return true;
        }
        let burst = self.per_s.max(1.0);
        if self.seen.len() >= ADDRESSES && !self.seen.contains_key(&address) {
            // An address that was quiet for a second has its whole burst again: forgetting it changes nothing.
            self.seen
                .retain(|_, (_, last)| now.duration_since(*last) < Duration::from_secs(1));
            if self.seen.len() >= ADDRESSES {
                return false;
            }
        }
        let (left, last) = self.seen.entry(address).or_insert((burst, now));
        *left = (*left + now.duration_since(*last).as_secs_f64() * self.per_s).min(burst);
        *last = now;
        let allowed = *left >= 1.0;
        if allowed {
            *left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_second_s_worth_and_then_its_rate() {
        let mut gate = Gate {
            per_s: 10.0,
            loopback: true,
            seen: HashMap::new(),
        };
        let (address, start) = (IpAddr::from([10, 0, 0, 1]), Instant::now());
        let allowed = (0..20).filter(|_| gate.allows(address, start)).count();
        assert_eq!(allowed, 10);
        assert!(gate.allows(address, start + Duration::from_millis(101)));
        assert!(!gate.allows(address, start + Duration::from_millis(102)));
        assert!(
            gate.allows(IpAddr::from([10, 0, 0, 2]), start),
            "each address for itself"
        );
    }
}
