//! This module asks over HTTP: health, login, connection token.

use serde_json::{Value, json};

use super::{Account, CONVERSATION, Known, PATIENCE, Server, Trouble};
use crate::account;
use crate::client::http::{Answer, ask};

const HEALTH_PATH: &str = "/health/ws/";
/// As much of a body as a message quotes.
const QUOTE_CHARS_MAX: usize = 120;

/// The login is there, whatever it says to an empty one.
pub(super) async fn has_login(server: &Server<'_>) -> bool {
    let dialect = server.manners.dialect.as_deref();
    let Some(path) = account::login_path(dialect) else {
        return false;
    };
    let request = server.http.post(server.path(path)).json(&json!({}));
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
    let dialect = server.manners.dialect.as_deref();
    let path = account::login_path(dialect).unwrap_or_default();
    let who = (account.name.as_str(), account.password.expose());
    let request = server.http.post(server.path(path));
    match ask(account::with_login(request, dialect, who), PATIENCE).await {
        Answer::Status {
            status: 200 | 201,
            body,
        } => account::access_token(dialect, &body)
            .map(|token| (format!("{} is let in", account.name), token))
            .ok_or_else(|| without_token(server, path)),
        Answer::Status {
            status: 401 | 403, ..
        } => Err(Trouble::new(
            format!("{} is not let in", account.name),
            "name an account of this server with --user and its password with --password",
        )),
        other => Err(refused(server, &other, path)),
    }
}

/// Fetches a connection token.
pub(super) async fn token(server: &Server<'_>, access: &str) -> Result<(String, String), Trouble> {
    let dialect = server.manners.dialect.as_deref();
    let path = account::token_path(dialect);
    let request = server.http.post(server.path(path)).bearer_auth(access);
    let request = account::with_token_wish(request, dialect, CONVERSATION);
    match ask(request, PATIENCE).await {
        Answer::Status {
            status: 200 | 201,
            body,
        } => account::connection_token(dialect, &body)
            .map(|token| ("a token is given".to_owned(), token))
            .ok_or_else(|| without_token(server, path)),
        Answer::None => Err(Trouble::new(
            format!("no answer to {path} within {PATIENCE:?}"),
            "give the calls to Redis a timeout, and answer 503 with Retry-After when it is over",
        )
        .known(Known::TokenEndpointHang)),
        other => Err(refused(server, &other, path)),
    }
}

/// The body is not quoted: it may hold a credential under another name.
fn without_token(server: &Server<'_>, path: &str) -> Trouble {
    let fact = format!("{path} answers with success, but without the token");
    Trouble::new(fact, written(server))
}

/// Where it is written what a server must answer.
const fn written(server: &Server<'_>) -> &'static str {
    if server.manners.dialect.is_some() {
        "see [target] in the scenario: does it name the paths and fields of this server?"
    } else {
        "see contract/README.md for the routes of a server and what they answer; for another server write a [target], and give its scenario as --scenario FILE"
    }
}

fn refused(server: &Server<'_>, answer: &Answer, path: &str) -> Trouble {
    match answer {
        Answer::Status {
            status: 404 | 405, ..
        } => Trouble::new(format!("there is no {path}"), written(server)),
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
