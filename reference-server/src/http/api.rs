//! Login, refresh, and the connection token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;

use super::cookie::Scope;
use super::identity::authenticate;
use super::reply::{error, retry_later};
use super::{cookie, head};
use crate::auth::jwt::{Claims, Kind};
use crate::auth::token::IssueError;
use crate::auth::{Directory, Signer, Tokens, User, secret};
use crate::bound::{Attempts, Client};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::store::Link;
use crate::{clock, wire};

/// What requests for logins, tokens and histories need.
pub(crate) struct Api {
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// Who may log in.
    pub(crate) directory: Arc<Directory>,
    /// The failed logins of late.
    pub(crate) attempts: Attempts,
    /// Signs access and refresh tokens.
    pub(crate) signer: Arc<Signer>,
    /// The connection tokens.
    pub(crate) tokens: Arc<Tokens>,
    /// Database 3: the histories.
    pub(crate) histories: Arc<Link>,
}

impl Api {
    /// Whether the request's Origin may ask.
    fn allows_origin(&self, headers: &HeaderMap) -> bool {
        head::origin_allowed(&self.config.auth.allowed_origin, headers)
    }

    /// Whom a request is of, or the answer to one that is nobody's.
    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<Claims, Box<Response>> {
        authenticate(&self.signer, &self.config.auth.allowed_origin, headers)
    }
}

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct TokenRequest {
    connection_id: String,
}

/// `POST /api/auth/login/`
pub(super) async fn login(
    State(api): State<Arc<Api>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(problem) => return unreadable(&problem),
    };
    if !api.allows_origin(&headers) {
        return error(StatusCode::FORBIDDEN, "csrf");
    }
    let Some(Login { email, password }) = wire::object(&body) else {
        return error(StatusCode::BAD_REQUEST, "bad_request");
    };
    let attempt = || api.directory.login(&email, &password);
    let now = Instant::now();
    let user = match api.attempts.attempt((client, &email), now, attempt) {
        Ok(Some(user)) => user,
        Ok(None) => return error(StatusCode::UNAUTHORIZED, "invalid_credentials"),
        Err(wait) => {
            api.metrics.rate_limit_hits.inc();
            return retry_later(StatusCode::TOO_MANY_REQUESTS, "rate_limited", wait);
        }
    };
    let Ok(session) = secret::random_token() else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness");
    };
    let csrf = api.signer.csrf_token(&session);
    let session = Some(session);
    let (access, expires_s) = api.signer.issue((&user, &session), Kind::Access);
    let (refresh, _) = api.signer.issue((&user, &session), Kind::Refresh);
    let body = json!({
        "token": access,
        "expires_at": clock::rfc3339(expires_s),
        "user": { "id": user.id, "username": user.name },
    });
    let auth = &api.config.auth;
    let (short, long) = (auth.jwt_ttl.as_secs(), auth.refresh_ttl.as_secs());
    let secure = api.config.tls.is_some();
    let scope = |life_s, readable| Scope {
        life_s,
        readable,
        secure,
    };
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    headers.append(
        header::SET_COOKIE,
        cookie::set("access_token", &access, scope(short, false)),
    );
    headers.append(
        header::SET_COOKIE,
        cookie::set("refresh_token", &refresh, scope(long, false)),
    );
    headers.append(
        header::SET_COOKIE,
        cookie::set("csrftoken", &csrf, scope(long, true)),
    );
    response
}

/// `POST /api/auth/refresh/`
pub(super) async fn refresh(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    if !api.allows_origin(&headers) {
        return error(StatusCode::FORBIDDEN, "csrf");
    }
    let given = cookie::get(&headers, "refresh_token");
    let Some(claims) = given.and_then(|token| api.signer.verify(token, Kind::Refresh)) else {
        return error(StatusCode::UNAUTHORIZED, "unauthenticated");
    };
    let user = User {
        id: claims.sub,
        name: claims.username,
    };
    let (access, expires_s) = api.signer.issue((&user, &claims.sid), Kind::Access);
    let scope = Scope {
        life_s: api.config.auth.jwt_ttl.as_secs(),
        readable: false,
        secure: api.config.tls.is_some(),
    };
    let set = cookie::set("access_token", &access, scope);
    let body = json!({ "token": access, "expires_at": clock::rfc3339(expires_s) });
    ([(header::SET_COOKIE, set)], Json(body)).into_response()
}

/// `POST /api/v1/auth/ws-connection-token/`
pub(super) async fn connection_token(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(problem) => return unreadable(&problem),
    };
    let claims = match api.authenticate(&headers) {
        Ok(claims) => claims,
        Err(response) => return *response,
    };
    let request: Option<TokenRequest> = wire::object(&body);
    let request =
        request.filter(|request| (1..=128).contains(&request.connection_id.chars().count()));
    let Some(TokenRequest { connection_id }) = request else {
        return error(StatusCode::BAD_REQUEST, "bad_request");
    };
    let user = User {
        id: claims.sub,
        name: claims.username,
    };
    match api.tokens.issue(&user, (connection_id, claims.exp)).await {
        Ok(token) => {
            api.metrics.tokens_issued.inc();
            let life_s = api.config.auth.token_ttl.as_secs();
            Json(json!({ "connection_token": token, "expires_in": life_s })).into_response()
        }
        Err(IssueError::RateLimited(wait)) => {
            api.metrics.rate_limit_hits.inc();
            refuse(&api, StatusCode::TOO_MANY_REQUESTS, "rate_limited", wait)
        }
        Err(IssueError::Store(problem)) => {
            tracing::debug!(target: "[WS_TOKEN_API]", %problem, "no token issued");
            refuse(
                &api,
                StatusCode::SERVICE_UNAVAILABLE,
                "token_store_unavailable",
                Duration::from_secs(1),
            )
        }
        Err(IssueError::Randomness(problem)) => {
            tracing::error!(target: "[WS_TOKEN_API]", %problem, "no token issued");
            error(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness")
        }
    }
}

/// A body that is over the limit, or broke off.
fn unreadable(problem: &BytesRejection) -> Response {
    match problem.status() {
        StatusCode::PAYLOAD_TOO_LARGE => error(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        status => error(status, "bad_request"),
    }
}

fn refuse(api: &Api, status: StatusCode, code: &str, wait: Duration) -> Response {
    let reason = if status == StatusCode::SERVICE_UNAVAILABLE {
        "unavailable"
    } else {
        code
    };
    api.metrics
        .tokens_refused
        .with_label_values(&[reason])
        .inc();
    retry_later(status, code, wait)
}
