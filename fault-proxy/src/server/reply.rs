//! Answers as Toxiproxy writes them, errors included.
//!
//! Its errors are JSON under the content type `text/plain`; clients in the field depend on neither
//! or both, so that is kept. **Source:** Toxiproxy 2.12, measured.

use super::guard::Stranger;
use crate::{engine::Subscription, refusal::Refusal};
use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use serde::Serialize;
use std::{convert::Infallible, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The body of every answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An event stream without events says so this often, so that a vanished reader is noticed.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The Toxiproxy version whose API and behaviour this is.
pub const COMPATIBLE_VERSION: &str = "2.12.0";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-toxiproxy-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

#[derive(Serialize)]
pub(super) struct ErrorBody {
    pub(super) error: String,
    pub(super) status: u16,
}

impl From<&Refusal> for ErrorBody {
    fn from(refusal: &Refusal) -> Self {
        Self {
            error: refusal.to_string(),
            status: refusal.status(),
        }
    }
}

/// An answer before it becomes HTTP.
pub(super) struct Reply {
    status: u16,
    body: Vec<u8>,
    /// Follows the body for as long as it lasts.
    events: Option<Subscription>,
    kind: Option<HeaderValue>,
    nosniff: bool,
}

/// What an answer on a matched route gets from its request and its server.
pub(super) struct Numbered<'a> {
    pub(super) number: u64,
    /// Ends an event stream.
    pub(super) shutdown: &'a CancellationToken,
}

impl Reply {
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(status, body, JSON),
            Err(error) => Self::plain(500, &format!("{error}\n")),
        }
    }

    pub(super) fn refusal(refusal: &Refusal) -> Self {
        let mut reply = Self::json(refusal.status(), &ErrorBody::from(refusal));
        reply.body.push(b'\n');
        reply.kind = Some(PLAIN);
        reply.nosniff = true;
        reply
    }

    pub(super) fn version() -> Self {
        let body = format!("{{\"version\": \"{COMPATIBLE_VERSION}\"}}\n");
        Self::new(200, body.into_bytes(), JSON_UTF8)
    }

    pub(super) fn plain(status: u16, text: &str) -> Self {
        Self {
            nosniff: true,
            ..Self::new(status, text.as_bytes().to_vec(), PLAIN)
        }
    }

    pub(super) fn stranger(stranger: &Stranger) -> Self {
        match stranger {
            Stranger::BadHost => Self::plain(400, "400 Bad Request: one Host header is required\n"),
            Stranger::Host(name) => Self::plain(
                403,
                &format!(
                    "Host {} not allowed: ask by address or as localhost, or start it with \
                     --allow-host NAME\n",
                    name.escape_debug()
                ),
            ),
            Stranger::Origin(origin) => Self::plain(
                403,
                &format!("Origin {} not allowed\n", origin.escape_debug()),
            ),
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            kind: None,
            ..Self::new(status, Vec::new(), PLAIN)
        }
    }

    pub(super) fn timeout() -> Self {
        let page = "<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>";
        Self::new(503, page.as_bytes().to_vec(), HTML)
    }

    /// Prometheus text.
    pub(super) fn metrics(text: Vec<u8>) -> Self {
        Self::new(200, text, METRICS)
    }

    /// Events for as long as the requester listens.
    pub(super) fn events(subscription: Subscription) -> Self {
        Self {
            events: Some(subscription),
            ..Self::new(200, b": listening\n\n".to_vec(), EVENT_STREAM)
        }
    }

    fn new(status: u16, body: Vec<u8>, kind: HeaderValue) -> Self {
        Self {
            status,
            body,
            events: None,
            kind: Some(kind),
            nosniff: false,
        }
    }

    /// The answer as HTTP; every matched route has a number.
    pub(super) fn into_response(self, numbered: Option<Numbered<'_>>) -> Response<Body> {
        let body = Bytes::from(self.body);
        let body = match (self.events, &numbered) {
            (Some(events), Some(Numbered { shutdown, .. })) => {
                StreamBody::new(lasting(body, events, (*shutdown).clone())).boxed_unsync()
            }
            _ => Full::new(body).boxed_unsync(),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = self.kind {
            headers.insert(CONTENT_TYPE, kind);
        }
        if self.nosniff {
            headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        }
        if let Some(numbered) = numbered
            && let Ok(id) = HeaderValue::from_str(&format!("{:020x}", numbered.number))
        {
            headers.insert(REQUEST_ID, id);
        }
        response
    }
}

/// `first`, then every event until the server stops.
fn lasting(
    first: Bytes,
    events: Subscription,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    let state = (Some(first), events, shutdown);
    unfold(state, async |(first, mut events, shutdown)| {
        let text = match first {
            Some(first) => first,
            None => following(&mut events, &shutdown).await?,
        };
        Some((Ok(Frame::data(text)), (None, events, shutdown)))
    })
}

async fn following(events: &mut Subscription, shutdown: &CancellationToken) -> Option<Bytes> {
    tokio::select! {
        () = shutdown.cancelled() => None,
        next = timeout(ALIVE_EVERY, events.next()) => match next {
            Ok(text) => text,
            Err(_elapsed) => Some(Bytes::from_static(b": nothing new\n\n")),
        },
    }
}
