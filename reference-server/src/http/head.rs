//! What is wrong with the head of a request, before anybody looks at what it asks for.
//!
//! **Source:** RFC 9112 §3.2 (`Host`), RFC 9110 §10.1.1 (`Expect`), RFC 6454 §7 (`Origin`).

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, StatusCode, Version, header};
use axum::response::Response;

use super::reply::error;

/// Bytes of a request body.
pub(super) const BODY_BYTES: usize = 16 * 1024;

/// The answer to a request that is no request of HTTP/1.x, or whose body is not wanted.
pub(super) fn flaw<B>(request: &Request<B>) -> Option<Response> {
    let (headers, version) = (request.headers(), request.version());
    let hosts = headers.get_all(header::HOST).iter().count();
    let named = headers.get(header::HOST).is_none_or(|host| {
        let host = host.to_str().ok().and_then(|host| host.parse().ok());
        host.is_some_and(|host: Authority| !host.host().is_empty() && !host.as_str().contains('@'))
    });
    if !named || hosts > 1 || (hosts == 0 && version > Version::HTTP_10) || twice(headers) {
        return Some(error(StatusCode::BAD_REQUEST, "bad_request"));
    }
    // HTTP/1.0 knows no expectations.
    let expected = headers.get_all(header::EXPECT).iter();
    if version == Version::HTTP_10 || headers.get(header::EXPECT).is_none() {
        return None;
    }
    if !expected
        .into_iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Some(error(StatusCode::EXPECTATION_FAILED, "expectation_failed"));
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    // Not even invited.
    (length.unwrap_or(0_u64) > BODY_BYTES as u64)
        .then(|| error(StatusCode::PAYLOAD_TOO_LARGE, "too_large"))
}

/// Whether something is said twice that can be said once: then two readers may read two things.
fn twice(headers: &HeaderMap) -> bool {
    [
        header::ORIGIN,
        header::AUTHORIZATION,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::HeaderName::from_static("x-csrftoken"),
    ]
    .iter()
    .any(|name| headers.get_all(name).iter().count() > 1)
}

/// Whether the request's Origin, if it has one, is the host it asks or one of those `allowed`.
pub(super) fn origin_allowed(allowed: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let same = origin
        .split_once("://")
        .is_some_and(|(_, rest)| Some(rest) == host);
    same || allowed.iter().any(|allowed| allowed == origin)
}
