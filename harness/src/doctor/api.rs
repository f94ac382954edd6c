//! This module asks over HTTP: health, login, connection token.

use serde_json::{Value, json};

use super::{Account, CONVERSATION, Known, PATIENCE, Server, Trouble};
use crate::account::{LOGIN_PATH, TOKEN_PATH};
use crate::client::http::{Answer, ask};

const HEALTH_PATH: &str = "/health/ws/";
/// As much of a body as a message quotes.
const QUOTE_CHARS_MAX: usize = 120;

/// The login is there, whatever it says to an empty one.
pub(super) async fn has_login(server: &Server<'_>) -> bool {
    let request = server.http.post(server.path(LOGIN_PATH)).json(&json!({}));
    let asked = ask(request, PATIENCE).await;
    matches!(
        asked,
        Answer::Status {
            status: 400 | 401 | 403 | 422 | 429 | 503,
            ..
        }
    )
}

/// What the server says of itself, where it says anything.
pub(super) async fn health(server: &Server<'_>) -> Result<(String, ()), Trouble> {
    let cure = "look at the server's log and at its Redis";
    match ask(server.http.get(server.path(HEALTH_PATH)), PATIENCE).await {
        Answer::Status { status: 200, body } => match failing(&body) {
            Some(part) => Err(Trouble::new(
                format!("the server says that this does not work: {part}"),
                cure,
            )),
            None => Ok((format!("{HEALTH_PATH} answers 200"), ())),
        },
        Answer::Status {
            status: 404 | 405 | 501,
            ..
        } => Ok((format!("there is no {HEALTH_PATH}"), ())),
        Answer::Status { status, body } => {
            let body = quote(&body);
            let fact = format!("{HEALTH_PATH} answers {status}: {body}");
            let lower = body.to_ascii_lowercase();
            if ["noauth", "wrongpass", "password"]
                .iter()
                .any(|word| lower.contains(word))
            {
                return Err(Trouble::new(fact, NOAUTH_CURE).known(Known::RedisNoauth));
            }
            Err(Trouble::new(fact, cure))
        }
        Answer::None => Err(Trouble::new(
            format!("no answer to {HEALTH_PATH} within {PATIENCE:?}"),
            cure,
        )),
        Answer::Broken(error) => Err(Trouble::new(format!("{HEALTH_PATH}: {error}"), cure)),
    }
}

/// What the server says is broken, in the words of the contract.
fn failing(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let parts = value.get("failed")?.as_array()?.iter();
    let parts: Vec<&str> = parts.filter_map(Value::as_str).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub(super) const NOAUTH_CURE: &str = "write Redis' password into the URL of the channel layer, redis://:PASSWORD@host:6379, and have its health check send a message, not only PING";

/// Logs in; finds the access token.
pub(super) async fn login(
    server: &Server<'_>,
    account: &Account,
) -> Result<(String, String), Trouble> {
    let body = json!({ "email": account.name, "password": account.password.expose() });
    let request = server.http.post(server.path(LOGIN_PATH)).json(&body);
    match ask(request, PATIENCE).await {
        Answer::Status { status: 200, body } => found(&body, "token", LOGIN_PATH)
            .map(|token| (format!("{} is let in", account.name), token)),
        Answer::Status {
            status: 401 | 403, ..
        } => Err(Trouble::new(
            format!("{} is not let in", account.name),
            "name an account of this server with --user and its password with --password",
        )),
        other => Err(refused(&other, LOGIN_PATH)),
    }
}

/// Fetches a connection token.
pub(super) async fn token(server: &Server<'_>, access: &str) -> Result<(String, String), Trouble> {
    let request = server.http.post(server.path(TOKEN_PATH));
    let body = json!({ "connection_id": CONVERSATION });
    match ask(request.bearer_auth(access).json(&body), PATIENCE).await {
        Answer::Status { status: 200, body } => found(&body, "connection_token", TOKEN_PATH)
            .map(|token| ("a token is given".to_owned(), token)),
        Answer::None => Err(Trouble::new(
            format!("no answer to {TOKEN_PATH} within {PATIENCE:?}"),
            "give the calls to Redis a timeout, and answer 503 with Retry-After when it is over",
        )
        .known(Known::TokenEndpointHang)),
        other => Err(refused(&other, TOKEN_PATH)),
    }
}

fn found(body: &[u8], key: &str, path: &str) -> Result<String, Trouble> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let token = value.as_ref().and_then(|value| value.get(key)?.as_str());
    // The body is not quoted: it may hold a credential under another name.
    token.map(str::to_owned).ok_or_else(|| {
        Trouble::new(
            format!("{path} answers 200 without `{key}`"),
            "see contract/README.md for what it must answer",
        )
    })
}

fn refused(answer: &Answer, path: &str) -> Trouble {
    match answer {
        Answer::Status {
            status: 404 | 405, ..
        } => Trouble::new(
            format!("there is no {path}"),
            "see contract/README.md for the routes a server must have",
        ),
        Answer::Status { status: 503, body } => Trouble::new(
            format!("{path} answers 503: {}", quote(body)),
            "look at the server's Redis: its address, its password, whether it runs",
        ),
        Answer::Status { status, body } => Trouble::new(
            format!("{path} answers {status}: {}", quote(body)),
            "look at the server's log",
        ),
        Answer::None => Trouble::new(
            format!("no answer to {path} within {PATIENCE:?}"),
            "look whether the server is stopped, overloaded, or waits for its Redis",
        ),
        Answer::Broken(error) => {
            Trouble::new(format!("{path}: {error}"), "look at the server's log")
        }
    }
}

/// The beginning of a body, on one line.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= QUOTE_CHARS_MAX {
        return line;
    }
    line.chars().take(QUOTE_CHARS_MAX).chain(['…']).collect()
}
