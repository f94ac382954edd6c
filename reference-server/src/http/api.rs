//! Login, refresh, and the connection token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use super::cookie::Scope;
use super::{cookie, error, head, retry_later};
use crate::bound::Client;
use crate::directory::User;
use crate::jwt::{Claims, Kind};
use crate::shared::Shared;
use crate::token::IssueError;
use crate::{clock, jwt, secret, token, wire};

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
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(problem) => return unreadable(&problem),
    };
    if !head::origin_allowed(&shared, &headers) {
        return error(StatusCode::FORBIDDEN, "csrf");
    }
    let Some(Login { email, password }) = wire::object(&body) else {
        return error(StatusCode::BAD_REQUEST, "bad_request");
    };
    let attempt = || shared.directory.login(&email, &password);
    let now = Instant::now();
    let user = match shared.attempts.attempt((client, &email), now, attempt) {
        Ok(Some(user)) => user,
        Ok(None) => return error(StatusCode::UNAUTHORIZED, "invalid_credentials"),
        Err(wait) => {
            shared.metrics.rate_limit_hits.inc();
            return retry_later(StatusCode::TOO_MANY_REQUESTS, "rate_limited", wait);
        }
    };
    let Ok(session) = secret::random_token() else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness");
    };
    let csrf = csrf_token(&shared, &session);
    let session = Some(session);
    let (access, expires_s) = issue(&shared, (&user, &session), Kind::Access);
    let (refresh, _) = issue(&shared, (&user, &session), Kind::Refresh);
    let body = json!({
        "token": access,
        "expires_at": clock::rfc3339(expires_s),
        "user": { "id": user.id, "username": user.name },
    });
    let auth = &shared.config.auth;
    let (short, long) = (auth.jwt_ttl.as_secs(), auth.refresh_ttl.as_secs());
    let secure = shared.config.tls.is_some();
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
pub(super) async fn refresh(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !head::origin_allowed(&shared, &headers) {
        return error(StatusCode::FORBIDDEN, "csrf");
    }
    let given = cookie::get(&headers, "refresh_token");
    let Some(claims) = given.and_then(|token| verify(&shared, token, Kind::Refresh)) else {
        return error(StatusCode::UNAUTHORIZED, "unauthenticated");
    };
    let user = User {
        id: claims.sub,
        name: claims.username,
    };
    let (access, expires_s) = issue(&shared, (&user, &claims.sid), Kind::Access);
    let scope = Scope {
        life_s: shared.config.auth.jwt_ttl.as_secs(),
        readable: false,
        secure: shared.config.tls.is_some(),
    };
    let set = cookie::set("access_token", &access, scope);
    let body = json!({ "token": access, "expires_at": clock::rfc3339(expires_s) });
    ([(header::SET_COOKIE, set)], Json(body)).into_response()
}

/// `POST /api/v1/auth/ws-connection-token/`
pub(super) async fn connection_token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(problem) => return unreadable(&problem),
    };
    let claims = match authenticate(&shared, &headers) {
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
    match token::issue(&shared, &user, (connection_id, claims.exp)).await {
        Ok(token) => {
            shared.metrics.tokens_issued.inc();
            let life_s = shared.config.auth.token_ttl.as_secs();
            Json(json!({ "connection_token": token, "expires_in": life_s })).into_response()
        }
        Err(IssueError::RateLimited(wait)) => {
            shared.metrics.rate_limit_hits.inc();
            refuse(&shared, StatusCode::TOO_MANY_REQUESTS, "rate_limited", wait)
        }
        Err(IssueError::Store(problem)) => {
            tracing::debug!(target: "[WS_TOKEN_API]", %problem, "no token issued");
            refuse(
                &shared,
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

fn refuse(shared: &Shared, status: StatusCode, code: &str, wait: Duration) -> Response {
    let reason = if status == StatusCode::SERVICE_UNAVAILABLE {
        "unavailable"
    } else {
        code
    };
    shared
        .metrics
        .tokens_refused
        .with_label_values(&[reason])
        .inc();
    retry_later(status, code, wait)
}

/// The bearer's claims, or those of the cookie if the page proves to be ours.
pub(super) fn authenticate(shared: &Shared, headers: &HeaderMap) -> Result<Claims, Box<Response>> {
    let unauthenticated = || Box::new(error(StatusCode::UNAUTHORIZED, "unauthenticated"));
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if let Some(bearer) = bearer {
        let token = bearer.strip_prefix("Bearer ").map(str::trim);
        let claims = token.and_then(|token| verify(shared, token, Kind::Access));
        return claims.ok_or_else(unauthenticated);
    }
    let token = cookie::get(headers, "access_token").ok_or_else(unauthenticated)?;
    let claims = verify(shared, token, Kind::Access).ok_or_else(unauthenticated)?;
    if head::origin_allowed(shared, headers) && proves_page(shared, headers, &claims) {
        Ok(claims)
    } else {
        Err(Box::new(error(StatusCode::FORBIDDEN, "csrf")))
    }
}

/// Whether header and cookie both hold the CSRF token of the session that the access token is of.
fn proves_page(shared: &Shared, headers: &HeaderMap, claims: &Claims) -> bool {
    let Some(session) = &claims.sid else {
        return false;
    };
    let sent = headers.get("x-csrftoken").map(HeaderValue::as_bytes);
    let kept = cookie::get(headers, "csrftoken").map(str::as_bytes);
    let own = csrf_token(shared, session);
    let fits =
        |given: Option<&[u8]>| given.is_some_and(|given| secret::equal(given, own.as_bytes()));
    fits(sent) && fits(kept)
}

/// The CSRF token of a session: nobody can make one up, or use that of another session.
fn csrf_token(shared: &Shared, session: &str) -> String {
    // What is signed for access tokens begins otherwise.
    let parts = [b"csrf\0".as_slice(), session.as_bytes()];
    URL_SAFE_NO_PAD.encode(secret::hmac_sha256(&shared.config.jwt_key, &parts))
}

fn issue(shared: &Shared, (user, session): (&User, &Option<String>), kind: Kind) -> (String, u64) {
    let auth = &shared.config.auth;
    let life = match kind {
        Kind::Access => auth.jwt_ttl,
        Kind::Refresh => auth.refresh_ttl,
    };
    let iat = clock::unix_s();
    let exp = iat.saturating_add(life.as_secs());
    let claims = Claims {
        sub: user.id,
        username: user.name.clone(),
        typ: kind,
        sid: session.clone(),
        iat,
        exp,
        nbf: None,
    };
    (jwt::issue(&shared.config.jwt_key, &claims), exp)
}

fn verify(shared: &Shared, token: &str, kind: Kind) -> Option<Claims> {
    let verified = jwt::verify(&shared.config.jwt_key, token, kind, clock::unix_s());
    verified
        .inspect_err(|problem| tracing::debug!(target: "[WS_AUTH]", %problem, "token refused"))
        .ok()
}
