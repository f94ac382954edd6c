//! What operators look at: liveness, readiness, the WebSocket health page, metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::reply::error;
use crate::args::{ChannelKind, WorkerKind};
use crate::auth::secret;
use crate::channel::Heartbeat;
use crate::metrics::MetricsError;
use crate::route;
use crate::session::Sessions;
use crate::store::{Link, queue};

/// Longest way of a nonce through the channel layer.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the health pages ask.
pub(crate) struct Health {
    /// Links, counters and settings.
    pub(crate) sessions: Arc<Sessions>,
    /// The way through the channel layer.
    pub(crate) heartbeat: Arc<Heartbeat>,
}

impl Health {
    /// What does not work.
    async fn failures(&self) -> Vec<&'static str> {
        let links = &self.sessions.health.links;
        let is_read = self.sessions.config.worker == WorkerKind::Inside;
        let tasks = queue::stands(&links.tasks, is_read);
        let (tasks, tokens, layer) = tokio::join!(tasks, ping(&links.tokens), self.round_trip());
        let failed = [
            ("tasks", tasks),
            ("tokens", tokens),
            ("channel_layer", layer),
        ];
        let failed = failed.into_iter().filter(|(_, works)| !works);
        failed.map(|(name, _)| name).collect()
    }

    /// Whether a nonce comes back through the channel layer. A PING would stay green where the
    /// subscription is gone or the layer's URL is the wrong one.
    async fn round_trip(&self) -> bool {
        if self.sessions.config.redis.channel_layer == ChannelKind::Memory {
            return true;
        }
        let Ok(nonce) = secret::random_token() else {
            return false;
        };
        let back = self.heartbeat.expect(&nonce);
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(self.heartbeat.channel()).arg(&nonce);
        let trip = async {
            let heard: u64 = self
                .sessions
                .health
                .links
                .channel
                .run(&publish)
                .await
                .ok()?;
            if heard > 0 { back.await.ok() } else { None }
        };
        matches!(
            tokio::time::timeout(HEARTBEAT_TIMEOUT, trip).await,
            Ok(Some(()))
        )
    }
}

/// Whether Redis answers on that link.
pub(crate) async fn ping(link: &Link) -> bool {
    link.run::<String>(&redis::cmd("PING")).await.is_ok()
}

/// `GET /healthz`
pub(crate) async fn alive() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /readyz`
pub(super) async fn ready(State(health): State<Arc<Health>>) -> Response {
    let mut failed = health.failures().await;
    if health.sessions.stopping.is_cancelled() {
        failed.push("stopping");
    }
    readiness(&failed)
}

/// The answer of `/readyz`.
pub(crate) fn readiness(failed: &[&str]) -> Response {
    if failed.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    let body = json!({ "status": "unavailable", "failed": failed });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// `GET /health/ws/`
pub(super) async fn websocket(State(health): State<Arc<Health>>) -> Response {
    let config = &health.sessions.config;
    let failed = health.failures().await;
    let body = json!({
        "routes": route::PATHS,
        "channel_layer": config.redis.channel_layer.name(),
        "redis": failed.is_empty(),
        "failed": failed,
        "ping_interval_seconds": seconds(config.socket.ping_interval),
        "ping_timeout_seconds": seconds(config.socket.ping_timeout),
        "version": env!("CARGO_PKG_VERSION"),
    });
    Json(body).into_response()
}

/// Whole seconds as a whole number, others as a fraction.
fn seconds(duration: Duration) -> serde_json::Value {
    if duration.subsec_nanos() == 0 {
        json!(duration.as_secs())
    } else {
        json!(duration.as_secs_f64())
    }
}

/// `GET /metrics`
pub(super) async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let Sessions {
        health, metrics, ..
    } = &*health.sessions;
    let links = &health.links;
    for (name, is_up) in [
        ("tasks", links.tasks.is_up()),
        ("tokens", links.tokens.is_up()),
        ("channel", links.channel.is_up()),
        ("subscriber", health.subscription.away_for().is_none()),
    ] {
        let up = metrics.redis_up.with_label_values(&[name]);
        up.set(i64::from(is_up));
    }
    exposition(metrics.render())
}

/// The answer of `/metrics`.
pub(crate) fn exposition(text: Result<String, MetricsError>) -> Response {
    match text {
        Ok(text) => {
            // One a connection: it is the dearest answer, and nobody reads the next hundred who
            // asks for them at once.
            let headers = [
                (header::CONTENT_TYPE, "text/plain; version=0.0.4"),
                (header::CONNECTION, "close"),
            ];
            (headers, text).into_response()
        }
        Err(problem) => {
            tracing::error!(%problem, "metrics not printed");
            error(StatusCode::INTERNAL_SERVER_ERROR, "metrics")
        }
    }
}
