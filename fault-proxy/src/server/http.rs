//! HTTP/1.1 in front of the routes: connections, limits, and the guards every route shares.
//!
//! **In:** the API's listener. **Out:** one answer per request, from [`handler`].
//!
//! A web page must not be able to reconfigure a proxy on its visitor's machine: [`super::guard`] looks
//! at whom the request was sent to and where from, before anything else. Requests with a browser's
//! `User-Agent` are refused too, as Toxiproxy does; unknown paths and methods are answered before that,
//! as there.

use super::{
    Server,
    guard::Guard,
    handler,
    metrics::Metrics,
    reply::{Body, Numbered, Reply},
    route::{Match, Route},
};
use crate::{
    engine::{Registry, api_connections_max},
    refusal::Refusal,
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Method, Request, Response, body::Incoming, header, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A body with tens of thousands of proxies to populate is smaller.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Time for a request's head, and again for its body (Toxiproxy's read timeout).
const READ_MAX: Duration = Duration::from_secs(15);
/// Time for an answer (Toxiproxy's handler timeout).
const ANSWER_MAX: Duration = Duration::from_secs(25);
/// Pause after a failed accept, so that a lack of file descriptors is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long answers in progress may take after the stop signal.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// What every request needs.
struct Shared {
    registry: Arc<Registry>,
    changes: TaskTracker,
    metrics: Metrics,
    guard: Arc<Guard>,
    requests: AtomicU64,
    shutdown: CancellationToken,
}

/// Accepts API connections until `shutdown`, then lets the answers in progress finish.
pub(super) async fn accept_until(
    server: &Server,
    listener: TcpListener,
    shutdown: &CancellationToken,
) {
    let shared = Arc::new(Shared {
        registry: Arc::clone(&server.registry),
        changes: server.changes.clone(),
        metrics: server.metrics,
        guard: Arc::clone(&server.guard),
        requests: AtomicU64::new(0),
        shutdown: shutdown.clone(),
    });
    // Further ones wait in the kernel's queue.
    let connections_max = api_connections_max();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < connections_max => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared), shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the fault proxy's API cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = timeout(DRAIN_MAX, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, shutdown: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "API connection was gone before it was served");
        return;
    }
    let service = hyper::service::service_fn(move |request| answer(Arc::clone(&shared), request));
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(READ_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "API connection ended early");
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let head = (request.version(), request.uri(), request.headers());
    if let Err(stranger) = shared.guard.check(head.0, head.1, head.2) {
        return Ok(Reply::stranger(&stranger).into_response(None));
    }
    let method = request.method().clone();
    let route = match Route::find(request.uri().path(), &method) {
        Match::Route(Route::Metrics) if !shared.metrics.any() => return Ok(nothing_there()),
        Match::Route(route) => route,
        Match::NoPath => return Ok(nothing_there()),
        Match::NoMethod => return Ok(Reply::empty(405).into_response(None)),
    };
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let reply = if from_browser(&request) {
        Reply::plain(403, "User agent not allowed\n")
    } else {
        match timeout(ANSWER_MAX, guarded(&shared, route, method, request)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(refusal)) => Reply::refusal(&refusal),
            Err(_elapsed) => Reply::timeout(),
        }
    };
    Ok(reply.into_response(Some(Numbered {
        number,
        shutdown: &shared.shutdown,
    })))
}

fn nothing_there() -> Response<Body> {
    Reply::plain(404, "404 page not found\n").into_response(None)
}

/// Reads the body and hands over to the handler, in a task of its own: once a change has begun it
/// is finished, even if the requester hangs up.
async fn guarded(
    shared: &Shared,
    route: Route,
    method: Method,
    request: Request<Incoming>,
) -> Result<Reply, Refusal> {
    let body = read(request).await?;
    let (registry, metrics) = (Arc::clone(&shared.registry), shared.metrics);
    let task = shared
        .changes
        .spawn(async move { handler::handle(&registry, metrics, route, method, &body).await });
    match task.await {
        Ok(answered) => answered,
        Err(failed) => Err(Refusal::Internal(failed.to_string())),
    }
}

async fn read(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX);
    match timeout(READ_MAX, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLong {
            bytes_max: BODY_BYTES_MAX,
        }),
        Ok(Err(error)) => Err(Refusal::BadBody(error.to_string())),
        Err(_elapsed) => Err(Refusal::BadBody("it did not arrive in time".to_owned())),
    }
}

fn from_browser(request: &Request<Incoming>) -> bool {
    request
        .headers()
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}
