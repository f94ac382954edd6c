//! Answers that many requests can have.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// An error that goes away after `wait`.
pub(super) fn retry_later(status: StatusCode, code: &str, wait: Duration) -> Response {
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
pub(super) fn error(status: StatusCode, code: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": code }))).into_response()
}
