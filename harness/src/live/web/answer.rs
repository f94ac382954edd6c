//! This module answers requests to the page's server.
//!
//! **In:** requests. **Out:** the page, its events as they come, the report once there is one, `/metrics`; and the end of the
//! run, for who has the token.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::sse::{self, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::super::exporter;
use super::hub::{Event, Hub, Viewer};
use super::patient::Patient;
use super::{door, page};
use crate::environment::Secret;

const FOREIGN: &str = "not by this name: ask by address or as localhost\n";
const ELSEWHERE: &str = "not for pages from elsewhere\n";
const NO_TOKEN: &str =
    "whoever may end the run has the token that it printed with the address of the page\n";
const FULL: &str = "as many watch already as may\n";

/// What is served.
#[derive(Clone)]
pub(super) struct Served {
    hub: Arc<Hub>,
    token: Arc<Secret>,
    stop: CancellationToken,
    over: CancellationToken,
}

impl Served {
    pub(super) fn new(
        hub: Arc<Hub>,
        (token, stop): (Secret, CancellationToken),
        over: CancellationToken,
    ) -> Self {
        Self {
            hub,
            token: Arc::new(token),
            stop,
            over,
        }
    }
}

/// Answers until `over` fires.
pub(super) async fn serve(listener: Patient, served: Served, over: CancellationToken) {
    let app = Router::new()
        .route("/", get(index))
        .route("/events", get(events))
        .route("/report.html", get(report))
        .route("/metrics", get(metrics))
        .route("/stop", post(stop))
        .layer(middleware::from_fn(guard))
        .with_state(served);
    let served = axum::serve(listener, app).with_graceful_shutdown(over.cancelled_owned());
    if let Err(error) = served.await {
        tracing::warn!("the page of the run stopped: {error}");
    }
}

/// Names that anybody could have made point here are not answered; nothing is kept by a browser.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = if door::is_known(request.uri(), request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, FOREIGN).into_response()
    };
    let headers = response.headers_mut();
    // One that is kept open and asks nothing would keep others out.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

async fn index() -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, page::policy())];
    (policy, Html(page::html())).into_response()
}

/// `?page`: it is the page, which fetches the report at the end.
#[derive(Deserialize)]
struct Asked {
    page: Option<String>,
}

async fn events(
    State(served): State<Served>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if !door::is_own_page(&headers) {
        return (StatusCode::FORBIDDEN, ELSEWHERE).into_response();
    }
    match served.hub.join(asked.page.is_some()) {
        Some(viewer) => Sse::new(told(viewer, served.over)).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, FULL).into_response(),
    }
}

/// What a viewer is told: what was first, then what comes, to the end of the run or until it falls behind.
fn told(
    viewer: Viewer,
    over: CancellationToken,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let state = (viewer, 0_usize, over);
    stream::unfold(state, |(mut viewer, mut place, over)| async move {
        let event = match viewer.first.get(place) {
            Some(event) => {
                place += 1;
                event.clone()
            }
            None => next(&mut viewer, &over).await?,
        };
        let sent = sse::Event::default().event(event.name).data(event.data);
        Some((Ok(sent), (viewer, place, over)))
    })
}

/// `None`: the run is over, or this viewer is too far behind.
async fn next(viewer: &mut Viewer, over: &CancellationToken) -> Option<Event> {
    tokio::select! {
        biased;
        event = viewer.events.recv() => event.ok(),
        () = over.cancelled() => None,
    }
}

async fn report(State(served): State<Served>) -> Response {
    match served.hub.report() {
        Some(report) => {
            // It has a policy of its own; the page shows it in a frame.
            let framed = [(header::CONTENT_SECURITY_POLICY, "frame-ancestors 'self'")];
            (framed, Html(report)).into_response()
        }
        None => (StatusCode::NOT_FOUND, "the run is not over yet\n").into_response(),
    }
}

async fn metrics(State(served): State<Served>) -> Response {
    match served.hub.metrics() {
        Some(metrics) => exporter::told(metrics),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the load has not begun\n").into_response(),
    }
}

async fn stop(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> Response {
    if !door::is_own_page(&headers) {
        return (StatusCode::FORBIDDEN, ELSEWHERE).into_response();
    }
    if !door::has_token(&uri, &headers, &served.token) {
        return (StatusCode::FORBIDDEN, NO_TOKEN).into_response();
    }
    tracing::warn!("the run is ended by a viewer of its page");
    served.stop.cancel();
    (
        StatusCode::ACCEPTED,
        "the run ends, and what was seen until now is kept\n",
    )
        .into_response()
}
