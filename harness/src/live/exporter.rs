//! This module serves `/metrics` while a run is under way.
//!
//! **In:** an address of the user's choice. **Out:** Prometheus's text format over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// Why there is no `/metrics`.
#[derive(Debug, Error)]
#[error("--prometheus {address}: cannot be listened on: {source}")]
pub(crate) struct BindError {
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
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let failed = |source| BindError { address, source };
    TcpListener::bind(address).await.map_err(failed)
}

/// Answers until `over` fires.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, over: CancellationToken) {
    let app = Router::new()
        .route("/metrics", get(answer))
        .with_state(metrics);
    let served = axum::serve(listener, app).with_graceful_shutdown(over.cancelled_owned());
    if let Err(error) = served.await {
        tracing::warn!("/metrics stopped: {error}");
    }
}

async fn answer(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.page().text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
