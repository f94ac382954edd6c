//! This module asks over HTTP: health, login, connection token.

use serde_json::{Value, json};

use super::report::Trouble;
use super::server::{Account, CONVERSATION, NO_TOKENS, Server, TIMEOUT};
use crate::account::{self, Ask, Jar, NotGranted, Trail, Who, granted, quoted};
use crate::client::http::{Answer, ask};
use crate::known::Known;

const HEALTH_PATH: &str = "/health/ws/";

/// The login is there, whatever it says to an empty one.
pub(super) async fn has_login(server: &Server<'_>) -> bool {
    let dialect = server.protocol.dialect.as_deref();
    let Some(path) = account::login_path(dialect) else {
        return false;
    };
    let request = server.http.post(server.path(path)).json(&json!({}));
    let asked = ask(request, TIMEOUT).await;
    matches!(
        asked,
        Answer::Status {
            status: 400 | 401 | 403 | 422 | 429 | 503,
            ..
        }
    )
}

/// Where the server says how it is; `None`: a mapping does not say.
pub(super) fn health_path<'s>(server: &'s Server<'_>) -> Option<&'s str> {
    match server.protocol.dialect.as_deref() {
        None => Some(HEALTH_PATH),
        Some(dialect) => dialect.health.as_deref(),
    }
}

/// What the server says of itself at that path; at the contract's own, where it says anything.
pub(super) async fn health(server: &Server<'_>, path: &str) -> Result<(String, ()), Trouble> {
    let cure = "look at the server's log and at its Redis";
    let is_named = path != HEALTH_PATH;
    match ask(server.http.get(server.path(path)), TIMEOUT).await {
        Answer::Status {
            status: status @ 200..=299,
            body,
            ..
        } => match broken_parts(&body).as_slice() {
            [] => Ok((format!("{path} answers {status}"), ())),
            parts => Err(Trouble::new(
                format!(
                    "the server says that this does not work: {}",
                    parts.join(", ")
                ),
                cure,
            )),
        },
        Answer::Status {
            status: 404 | 405 | 501,
            ..
        } if !is_named => Ok((format!("there is no {path}"), ())),
        Answer::Status { status, body, .. } => {
            let fact = format!("{path} answers {status}: {}", quoted(&body));
            let body = String::from_utf8_lossy(&body).to_ascii_lowercase();
            // Redis' own words, which nothing else says.
            if ["noauth", "wrongpass"]
                .iter()
                .any(|word| body.contains(word))
            {
                return Err(Trouble::new(fact, NOAUTH_CURE).known(Known::RedisNoauth));
            }
            Err(Trouble::new(fact, cure))
        }
        Answer::None => Err(Trouble::new(
            format!("no answer to {path} within {TIMEOUT:?}"),
            cure,
        )),
        Answer::Broken(error) => Err(Trouble::new(format!("{path}: {error}"), cure)),
    }
}

/// What the server itself says is broken; nothing, where it speaks otherwise than the contract.
pub(super) async fn failing(server: &Server<'_>) -> Vec<String> {
    if server.protocol.dialect.is_some() {
        return Vec::new();
    }
    match ask(server.http.get(server.path(HEALTH_PATH)), TIMEOUT).await {
        Answer::Status { body, .. } => broken_parts(&body),
        Answer::None | Answer::Broken(_) => Vec::new(),
    }
}

/// What the server says is broken, in the words of the contract.
fn broken_parts(body: &[u8]) -> Vec<String> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let parts = value
        .as_ref()
        .and_then(|value| value.get("failed")?.as_array());
    let parts = parts.into_iter().flatten().filter_map(Value::as_str);
    parts.map(str::to_owned).collect()
}

pub(super) const NOAUTH_CURE: &str = "write Redis' password into the URL of the channel layer, redis://:PASSWORD@host:6379, and have its health check send a message, not only PING";

/// What a login repeats of the page before it, where there is one.
async fn page(server: &Server<'_>, jar: &mut Jar) -> Result<Vec<(String, String)>, Trouble> {
    let dialect = server.protocol.dialect.as_deref();
    let Some(path) = account::page_path(dialect) else {
        return Ok(Vec::new());
    };
    match ask(server.http.get(server.path(path)), TIMEOUT).await {
        Answer::Status {
            status: 200..300,
            body,
            headers,
        } => {
            account::keep(dialect, jar, &headers);
            let captured = account::captured_of_page(dialect, &body, jar);
            captured.map_err(|why| {
                let cure = "see login.capture of [target]: does it say where on the page the value stands, and are cookies kept (cookies = true)?";
                Trouble::new(format!("{path} holds {why}"), cure)
            })
        }
        Answer::Status { status, body, .. } => Err(Trouble::new(
            format!("{path} answers {status}: {}", quoted(&body)),
            "is that the page before the login? see login.page of [target]",
        )),
        other => Err(unanswered(&other, path)),
    }
}

/// Logs in; finds the access token.
pub(super) async fn login(
    server: &Server<'_>,
    account: &Account,
    jar: &mut Jar,
) -> Result<(String, String), Trouble> {
    let dialect = server.protocol.dialect.as_deref();
    let path = account::login_path(dialect).unwrap_or_default();
    let who = Who {
        account: &account.name,
        password: account.password.expose(),
        cells: server.cells,
    };
    let captured = page(server, jar).await?;
    let method = account::login_method(dialect);
    let request = server.http.request(method, server.path(path));
    let request = account::with_login(request, dialect, who, &captured);
    let answer = ask(account::with_cookies(request, jar), TIMEOUT).await;
    match followed(server, (path, answer), jar).await? {
        Answer::Status { status, body, .. } => {
            match granted(dialect, Ask::Login, status, &body)
                .map_err(|why| why.masked(&[who.password]))
            {
                Ok(access) => Ok((format!("{} is let in", account.name), access)),
                Err(why) if matches!(status, 401 | 403) => Err(Trouble::new(
                    format!("{} is not let in: {why}", account.name),
                    "name an account of this server with --user and its password with --password",
                )),
                Err(why) => Err(refused(server, &why, path)),
            }
        }
        other => Err(unanswered(&other, path)),
    }
}

/// The last answer to a login: where it leads on, and the scenario follows, the one at the end.
async fn followed(
    server: &Server<'_>,
    (path, mut answer): (&str, Answer),
    jar: &mut Jar,
) -> Result<Answer, Trouble> {
    let dialect = server.protocol.dialect.as_deref();
    let base = server.path("");
    let mut trail = Trail::new(dialect, (&base, &server.host_header), path);
    while let Answer::Status {
        status, headers, ..
    } = &answer
    {
        account::keep(dialect, jar, headers);
        let lead = trail.next(*status, headers);
        let lead = lead.map_err(|astray| {
            let cure = "see login.path and login.redirects of [target]";
            Trouble::new(format!("{path}: {astray}"), cure)
        })?;
        let Some(path) = lead else { break };
        let request = account::with_cookies(server.http.get(server.path(&path)), jar);
        answer = ask(request, TIMEOUT).await;
    }
    Ok(answer)
}

/// Fetches a connection token.
pub(super) async fn token(
    server: &Server<'_>,
    access: &str,
    jar: &mut Jar,
) -> Result<(String, String), Trouble> {
    let dialect = server.protocol.dialect.as_deref();
    let path = account::token_path(dialect);
    let request = account::with_access(server.http.post(server.path(path)), access);
    let request = account::with_token_wish(request, dialect, CONVERSATION);
    match ask(account::with_cookies(request, jar), TIMEOUT).await {
        Answer::Status {
            status,
            body,
            headers,
        } => {
            account::keep(dialect, jar, &headers);
            granted(dialect, Ask::Token, status, &body)
                .map(|token| ("a token is given".to_owned(), token))
                .map_err(|why| {
                    let secrets: Vec<&str> = jar.secrets().chain([access]).collect();
                    refused(server, &why.masked(&secrets), path)
                })
        }
        Answer::None => {
            let trouble = unanswered(&Answer::None, path);
            // Named where the server itself says that it cannot reach its tokens: else it may be
            // slow.
            if failing(server).await.iter().any(|part| part == NO_TOKENS) {
                let cure = "give the calls to Redis a timeout, and answer 503 with Retry-After when it is over";
                return Err(trouble.cured_by(cure).known(Known::TokenEndpointHang));
            }
            Err(trouble)
        }
        broken @ Answer::Broken(_) => Err(unanswered(&broken, path)),
    }
}

/// Where it is written what a server must answer.
const fn written(server: &Server<'_>) -> &'static str {
    if server.protocol.dialect.is_some() {
        "see [target] in the scenario: does it name the paths and fields of this server?"
    } else {
        "see contract/README.md for the routes of a server and what they answer; for another server write a [target], and give its scenario as --scenario FILE"
    }
}

fn refused(server: &Server<'_>, why: &NotGranted, path: &str) -> Trouble {
    let fact = format!("{path} answers {why}");
    let cure = match why {
        NotGranted::Absent { .. }
        | NotGranted::Refused {
            status: 404 | 405, ..
        } => written(server),
        NotGranted::Refused {
            status: 300..400, ..
        } => {
            "name the path to which it leads, or how many redirects are followed: login.redirects of [target]"
        }
        NotGranted::Refused { status: 503, .. } => {
            "look at the server's Redis: its address, its password, whether it runs"
        }
        NotGranted::Refused { .. } => "look at the server's log",
    };
    match why.hint().filter(|_| server.protocol.dialect.is_some()) {
        Some(hint) => Trouble::new(fact, hint),
        None => Trouble::new(fact, cure),
    }
}

fn unanswered(answer: &Answer, path: &str) -> Trouble {
    match answer {
        Answer::Broken(error) => {
            Trouble::new(format!("{path}: {error}"), "look at the server's log")
        }
        Answer::None | Answer::Status { .. } => Trouble::new(
            format!("no answer to {path} within {TIMEOUT:?}"),
            "look whether the server is stopped, overloaded, or waits for its Redis",
        ),
    }
}
