//! HTTP: the accept loop, the routes, and the upgrade to WebSocket.

mod accept;
mod api;
mod cookie;
mod head;
mod identity;
mod messages;
mod operations;
mod pages;
mod places;
mod reply;
mod upgrade;
mod watch;

pub(crate) use accept::{Server, accept, bind};
pub(crate) use api::Api;
pub(crate) use operations::{Health, alive, exposition, ping, readiness};
pub(crate) use pages::serve_pages;
pub(crate) use reply::not_found;
pub(crate) use upgrade::Gate;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};

use head::BODY_BYTES;
use reply::error;

/// Everything that is not an upgrade.
pub(crate) fn router(api: Arc<Api>, health: Arc<Health>) -> Router {
    let requests = Router::new()
        .route("/api/auth/login/", post(api::login))
        .route("/api/auth/refresh/", post(api::refresh))
        .route(
            "/api/v1/auth/ws-connection-token/",
            post(api::connection_token),
        )
        .route("/api/v1/messages/{chat_id}/", get(messages::messages))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(api);
    let operations = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(operations::ready))
        .route("/health/ws/", get(operations::websocket))
        .route("/metrics", get(operations::metrics))
        .with_state(health);
    requests
        .merge(operations)
        .fallback(not_found)
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        })
}
