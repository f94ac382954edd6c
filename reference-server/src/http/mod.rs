//! HTTP: the accept loop, the routes, and the upgrade to WebSocket.

mod accept;
mod api;
mod cookie;
mod head;
mod messages;
mod operations;
mod pages;
mod places;
mod upgrade;
mod watch;

pub(crate) use accept::{accept, bind};
pub(crate) use operations::{Health, alive, exposition, ping, readiness};
pub(crate) use pages::serve_pages;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::shared::Shared;

/// Bytes of a request body.
const BODY_BYTES: usize = 16 * 1024;

/// Everything that is not an upgrade.
pub(crate) fn router(shared: Arc<Shared>, health: Arc<Health>) -> Router {
    let api = Router::new()
        .route("/api/auth/login/", post(api::login))
        .route("/api/auth/refresh/", post(api::refresh))
        .route(
            "/api/v1/auth/ws-connection-token/",
            post(api::connection_token),
        )
        .route("/api/v1/messages/{chat_id}/", get(messages::messages))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(shared);
    let operations = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(operations::ready))
        .route("/health/ws/", get(operations::websocket))
        .route("/metrics", get(operations::metrics))
        .with_state(health);
    api.merge(operations)
        .fallback(not_found)
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        })
}

/// An error that goes away after `wait`.
fn retry_later(status: StatusCode, code: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs_f64().ceil().max(1.0).to_string();
    let mut response = error(status, code);
    let value = HeaderValue::try_from(seconds).expect("a number is plain ASCII");
    response.headers_mut().insert(header::RETRY_AFTER, value);
    response
}

/// The answer where there is nothing.
pub(crate) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "not_found")
}

/// `{"error": "<code>"}`.
fn error(status: StatusCode, code: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": code }))).into_response()
}
