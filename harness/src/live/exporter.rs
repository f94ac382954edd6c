//! This module serves `/metrics` while a run is under way.
//!
//! **In:** an address of the user's choice. **Out:** Prometheus's text format over HTTP, and a line that leads to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// What stands at the root: one line.
const INDEX: &str =
    "<!doctype html><title>harness</title>A run is under way: <a href=\"/metrics\">/metrics</a>\n";

/// Why there is no `/metrics`, or no page.
#[derive(Debug, Error)]
#[error("{flag} {address}: cannot be listened on: {source}")]
pub(crate) struct BindError {
    /// What named the address.
    flag: &'static str,
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

impl BindError {
    /// Something else listens there.
    pub(crate) fn is_taken(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::AddrInUse
    }
}

/// Listens there, before anything else is started.
pub(crate) async fn bind(
    flag: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, BindError> {
    let failed = |source| BindError {
        flag,
        address,
        source,
    };
    TcpListener::bind(address).await.map_err(failed)
}

/// Answers until `over` fires.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, over: CancellationToken) {
    let app = Router::new()
        .route("/", get(|| async { Html(INDEX) }))
        .route("/metrics", get(answer))
        .with_state(metrics);
    let served = axum::serve(listener, app).with_graceful_shutdown(over.cancelled_owned());
    if let Err(error) = served.await {
        tracing::warn!("/metrics stopped: {error}");
    }
}

async fn answer(State(metrics): State<Arc<Metrics>>) -> Response {
    told(&metrics)
}

/// The metrics as they are now.
pub(super) fn told(metrics: &Metrics) -> Response {
    match metrics.page().text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
