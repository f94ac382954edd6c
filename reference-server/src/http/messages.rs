//! What was said on a people chat, over plain HTTP: for clients whose network lets no WebSocket
//! through.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::api::Api;
use super::reply::{error, retry_later};
use crate::room::RawEvent;
use crate::route;
use crate::store::{Entry, StreamId, text};

/// Messages in one answer.
const PAGE: usize = 100;

/// `GET /api/v1/messages/{chat_id}/?after=`
pub(super) async fn messages(
    State(api): State<Arc<Api>>,
    Path(chat): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(chat) = route::checked(&chat) else {
        return error(StatusCode::NOT_FOUND, "not_found");
    };
    let claims = match api.authenticate(&headers) {
        Ok(claims) => claims,
        Err(response) => return *response,
    };
    if !api.directory.participates(chat, claims.sub) {
        return error(StatusCode::FORBIDDEN, "forbidden");
    }
    let Some(after) = after(query.as_deref().unwrap_or_default()) else {
        return error(StatusCode::BAD_REQUEST, "bad_request");
    };
    match read(&api, &route::people(chat), after).await {
        Some(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        None => retry_later(
            StatusCode::SERVICE_UNAVAILABLE,
            "message_store_unavailable",
            std::time::Duration::from_secs(1),
        ),
    }
}

/// From the first message where nothing is asked for; `None` where it is no message id that others
/// can follow.
fn after(query: &str) -> Option<StreamId> {
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    match pairs.find(|(name, _)| *name == "after") {
        Some((_, id)) => StreamId::to_follow(id).ok(),
        None => Some(StreamId::default()),
    }
}

/// A page of the history as JSON; `None` where it cannot be read.
async fn read(api: &Api, room: &str, after: StreamId) -> Option<String> {
    let from = api.config.defects.replay_from(after);
    let mut command = redis::cmd("XRANGE");
    command.arg(room).arg(format!("({from}")).arg("+");
    command.arg("COUNT").arg(PAGE + 1);
    let found: Result<Vec<Entry>, _> = api.histories.run(&command).await;
    let entries = found
        .inspect_err(|problem| tracing::debug!(%problem, "history not read"))
        .ok()?;
    let message = |entry: &Entry| RawEvent::parse(room, text(entry)?)?.with_id(&entry.0);
    let page: Vec<String> = entries.iter().take(PAGE).filter_map(message).collect();
    let (page, more) = (page.join(","), entries.len() > PAGE);
    Some(format!(r#"{{"messages":[{page}],"more":{more}}}"#))
}
