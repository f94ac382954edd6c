//! From an upgrade request to a socket, or to the reason why not.
//!
//! The request is judged before the upgrade is answered, while it is still cheap to say no.
//! **Source:** RFC 6455 §4.2.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::reply::{error, retry_later};
use super::{cookie, head};
use crate::args::Refuse;
use crate::auth::jwt::Kind as TokenKind;
use crate::auth::token::ConsumeError;
use crate::auth::{Directory, Signer, Tokens};
use crate::bound::{Client, Tally};
use crate::route;
use crate::route::{Kind, Route};
use crate::session::Sessions;
use crate::socket::{Opening, Refused, code};

/// What is asked before a socket is let in.
pub(crate) struct Gate {
    /// The sockets that are open, and what those who own them have.
    pub(crate) sessions: Arc<Sessions>,
    /// Who is an admin, and who is in a chat.
    pub(crate) directory: Arc<Directory>,
    /// Knows access tokens.
    pub(crate) signer: Arc<Signer>,
    /// The connection tokens.
    pub(crate) tokens: Arc<Tokens>,
    /// The sockets of each address.
    pub(crate) addresses: Arc<Tally<IpAddr>>,
}

/// What to do with the connection once the upgrade is answered.
pub(super) type Verdict = Result<Opening, Refused>;

/// Answers a request on `/ws/…`. With 101 comes what the connection is for.
pub(super) async fn answer(
    gate: &Gate,
    request: &Request<Incoming>,
    client: Client,
) -> (Response, Option<Verdict>) {
    let Some(route) = Route::of(request.uri().path()) else {
        return (error(StatusCode::NOT_FOUND, "not_found"), None);
    };
    let accept = match accept_key(request) {
        Ok(accept) => accept,
        Err(response) => return (*response, None),
    };
    let kind = route.kind;
    gate.sessions.config.defects.log_access(request.uri());
    gate.tokens.wait().await;
    let verdict = judge(gate, request, (route, client)).await;
    let verdict = verdict.map_err(|refused| refused.on(kind));
    if let Err(refused) = &verdict {
        tracing::debug!(target: "[WS_AUTH]", code = refused.code, reason = refused.reason, "refused");
        if gate.sessions.config.auth.refuse == Refuse::Handshake {
            gate.sessions.metrics.closed(refused.code);
            return (in_handshake(refused.code), None);
        }
    }
    (switch(request.headers(), &accept), Some(verdict))
}

/// A refusal instead of the upgrade.
fn in_handshake(code: u16) -> Response {
    let (status, word) = match code {
        code::UNAUTHENTICATED | code::ADMIN_UNAUTHENTICATED => {
            (StatusCode::UNAUTHORIZED, "unauthenticated")
        }
        code::FORBIDDEN | code::ADMIN_FORBIDDEN => (StatusCode::FORBIDDEN, "forbidden"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        retry_later(status, word, std::time::Duration::from_secs(1))
    } else {
        error(status, word)
    }
}

/// The answer to the request's key, or to a request that is no upgrade to WebSocket 13.
fn accept_key(request: &Request<Incoming>) -> Result<HeaderValue, Box<Response>> {
    let headers = request.headers();
    // HTTP/1.0 knows no upgrade: one that it asks for is not heard (RFC 9110 §7.8).
    let asked = request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && holds(headers, header::CONNECTION, "upgrade")
        && holds(headers, header::UPGRADE, "websocket");
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if !asked || version.is_none_or(|version| version != "13") {
        let mut response = error(StatusCode::UPGRADE_REQUIRED, "upgrade_required");
        let set = response.headers_mut();
        set.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        set.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        return Err(Box::new(response));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16));
    let accept = key.and_then(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok());
    accept.ok_or_else(|| Box::new(error(StatusCode::BAD_REQUEST, "bad_request")))
}

fn holds(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let lines = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn switch(headers: &HeaderMap, accept: &HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let set = response.headers_mut();
    set.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    set.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    set.insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
    if protocol_token(headers).is_some() {
        set.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("Bearer"),
        );
    }
    response
}

async fn judge(
    gate: &Gate,
    request: &Request<Incoming>,
    (route, client): (Route, Client),
) -> Verdict {
    let refuse = |code, reason| Err(Refused { code, reason });
    if gate.sessions.stopping.is_cancelled() {
        return refuse(code::GOING_AWAY, "shutting down");
    }
    if gate.sessions.registry.is_full() {
        return refuse(code::TRY_AGAIN, "too many connections");
    }
    let place = client.0.map(|address| gate.addresses.place(address));
    if matches!(place, Some(None)) {
        return refuse(code::TRY_AGAIN, "too many connections of this address");
    }
    let defects = &gate.sessions.config.defects;
    if defects.checks_origin()
        && !head::origin_allowed(&gate.sessions.config.auth.allowed_origin, request.headers())
    {
        return refuse(code::FORBIDDEN, "origin not allowed");
    }
    let (user, jwt_expires_s) = identify(gate, request).await?;
    let directory = &gate.directory;
    match route.kind {
        // The same for a chat that does not exist: who is not in it cannot tell.
        Kind::People
            if defects.checks_participants()
                && !directory.participates(route::id(&route.room), user) =>
        {
            return refuse(code::FORBIDDEN, "not a participant of the chat");
        }
        Kind::Admin if !directory.is_admin(user) => {
            return refuse(code::FORBIDDEN, "not an admin");
        }
        Kind::Assistant | Kind::People | Kind::Admin => {}
    }
    if gate.sessions.health.subscription.away_for().is_some() {
        return refuse(code::FAILURE, "the channel layer is away");
    }
    let Some(member) = gate.sessions.accounts.enter(user) else {
        return refuse(code::TRY_AGAIN, "too many connections of this user");
    };
    Ok(Opening {
        route,
        user,
        jwt_expires_s,
        member: Some(member),
        _place: place.flatten(),
    })
}

/// The user behind the first credential that is present, and when the access token ends.
async fn identify(gate: &Gate, request: &Request<Incoming>) -> Result<(u64, u64), Refused> {
    let refused = |code, reason| Refused { code, reason };
    let headers = request.headers();
    if let Some(token) = query(request, "connection_token") {
        let reason = |reason: &str| {
            gate.sessions
                .metrics
                .tokens_refused
                .with_label_values(&[reason])
                .inc();
        };
        return match gate.tokens.consume(token).await {
            Ok(grant) => {
                gate.sessions.metrics.tokens_consumed.inc();
                Ok((grant.user_id, grant.jwt_expires_at))
            }
            Err(ConsumeError::Unknown) => {
                reason("unknown");
                Err(refused(
                    code::UNAUTHENTICATED,
                    "connection token unknown, expired or used",
                ))
            }
            Err(ConsumeError::Store(problem)) => {
                reason("unavailable");
                tracing::debug!(target: "[WS_AUTH]", %problem, "token not checked");
                Err(refused(code::FAILURE, "the token store is away"))
            }
        };
    }
    let token = cookie::get(headers, "access_token")
        .or_else(|| query(request, "token"))
        .or_else(|| protocol_token(headers));
    let token = token.ok_or_else(|| refused(code::UNAUTHENTICATED, "no credential"))?;
    match gate.signer.verify(token, TokenKind::Access) {
        Some(claims) => Ok((claims.sub, claims.exp)),
        None => Err(refused(code::UNAUTHENTICATED, "access token not accepted")),
    }
}

/// A query parameter. Tokens are plain ASCII, so nothing is percent-decoded: an encoded one is
/// simply unknown.
fn query<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    let pairs = request.uri().query()?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The token of the sub-protocols `Bearer, <JWT>`.
fn protocol_token(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut items = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim);
    items.find(|item| *item == "Bearer")?;
    items.next()
}
