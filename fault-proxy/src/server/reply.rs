//! Answers as Toxiproxy writes them, errors included.
//!
//! Its errors are JSON under the content type `text/plain`; clients in the field depend on neither
//! or both, so that is kept. **Source:** Toxiproxy 2.12, measured.

use crate::refusal::Refusal;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use serde::Serialize;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-toxiproxy-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
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
    kind: Option<HeaderValue>,
    nosniff: bool,
}

impl Reply {
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self {
                status,
                body,
                kind: Some(JSON),
                nosniff: false,
            },
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

    pub(super) fn version(version: &str) -> Self {
        Self {
            status: 200,
            body: format!("{{\"version\": \"{version}\"}}\n").into_bytes(),
            kind: Some(JSON_UTF8),
            nosniff: false,
        }
    }

    pub(super) fn plain(status: u16, text: &str) -> Self {
        Self {
            status,
            body: text.as_bytes().to_vec(),
            kind: Some(PLAIN),
            nosniff: true,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            body: Vec::new(),
            kind: None,
            nosniff: false,
        }
    }

    pub(super) fn timeout() -> Self {
        let page = "<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>";
        Self {
            status: 503,
            body: page.as_bytes().to_vec(),
            kind: Some(HTML),
            nosniff: false,
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = self.kind {
            headers.insert(CONTENT_TYPE, kind);
        }
        if self.nosniff {
            headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        }
        response
    }

    /// The same with the request's number, as every matched route answers.
    pub(super) fn into_response_numbered(self, number: u64) -> Response<Full<Bytes>> {
        let mut response = self.into_response();
        if let Ok(id) = HeaderValue::from_str(&format!("{number:020x}")) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}
