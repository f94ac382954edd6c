//! This module knocks with a token that nobody gave out: the upgrade must work, and the refusal
//! must be one that a browser can see.

use std::io;

use super::api::{self, has_login};
use super::report::Trouble;
use super::server::{NO_TOKENS, Server, TIMEOUT};
use crate::account::Jar;
use crate::client::connector::ConnectError;
use crate::client::http::{Answer, ask};
use crate::client::talk::{Entry, Heard, SETTLING, Talk};
use crate::failure::{Failure, FailureKind, StepProblem};
use crate::known::Known;
use crate::trust::{TlsFailure, innermost};

/// 43 characters, as a real one has.
const MADE_UP: &str = "harness-doctor-made-up-token-harness-doctor";
const PASS_UPGRADE_ON: &str = "have the reverse proxy pass `Upgrade` and `Connection` on, over HTTP/1.1: in nginx proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection \"upgrade\"";
const LET_IN: &str = "check the token before anything is said to the client";
/// Where chat servers of any make serve their sockets.
const USUAL_PLACES: [&str; 6] = ["/", "/ws", "/ws/", "/websocket", "/socket", "/chat"];

/// What knocking came to.
pub(super) enum Door {
    /// The upgrade was made; the refusal is to come.
    Open(Box<Talk>),
    /// The refusal was the answer to the upgrade.
    Refused(u16),
}

/// Asks for an upgrade.
pub(super) async fn knock(server: &Server<'_>) -> Result<(String, Door), Trouble> {
    let Some(opened) = server.open(MADE_UP).await else {
        return Err(hangs(server).await);
    };
    match opened {
        Ok(opened) => {
            let talk = server.talk(opened, MADE_UP);
            Ok(("101".to_owned(), Door::Open(Box::new(talk))))
        }
        Err(ConnectError::Status { status, words, .. }) => {
            if !refuses(server, status).await {
                return Err(no_upgrade(server, status, &words).await);
            }
            let words = if words.is_empty() {
                String::new()
            } else {
                format!(" {words}")
            };
            let fact = format!("refused in the handshake: {status}{words}");
            Ok((fact, Door::Refused(status)))
        }
        Err(ConnectError::Broken(error)) => Err(broken(&error)),
        Err(error) => {
            let cure = "look at what answers there: the server, or what stands before it";
            Err(Trouble::new(words(&error), cure))
        }
    }
}

/// An error of a connect, in words for people.
pub(super) fn words(error: &ConnectError) -> String {
    match TlsFailure::of(error) {
        Some(failure) => format!("TLS: {failure}"),
        None => error.to_string(),
    }
}

fn broken(error: &io::Error) -> Trouble {
    if let Some(failure) = TlsFailure::of(error) {
        return Trouble::new(
            format!("the upgrade is not answered: {failure}"),
            failure.hint(),
        );
    }
    let fact = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the connection ends without an answer to the upgrade".to_owned()
        }
        _ => format!("the upgrade is not answered: {}", innermost(error)),
    };
    silent(&fact)
}

/// Whether a status says that the client may not come in. One without the cookies of a login may belong to no session that the
/// server, or who spreads sockets over several, knows: that is told by 400 too.
async fn refuses(server: &Server<'_>, status: u16) -> bool {
    let dialect = server.protocol.dialect.as_ref();
    let keeps_cookies = dialect.is_some_and(|dialect| dialect.cookies);
    match status {
        401 | 403 => true,
        400 if keeps_cookies => !wish_is_lost(server, &server.socket_path(), status).await,
        _ => false,
    }
}

/// An answer that is no upgrade.
async fn no_upgrade(server: &Server<'_>, status: u16, words: &str) -> Trouble {
    let path = server.socket_path();
    let colon = if words.is_empty() { "" } else { ": " };
    let fact = format!("the upgrade is answered with {status}{colon}{words}");
    if wish_is_lost(server, &path, status).await {
        let fact = format!("{fact}: the server has not seen that one was wished for");
        return Trouble::new(fact, PASS_UPGRADE_ON).known(Known::ProxyNoUpgrade);
    }
    if server.protocol.dialect.is_none() && !has_login(server).await {
        return elsewhere(server, &fact).await;
    }
    let cure = match status {
        300..400 => "name the scheme, host and path to which it leads: redirects are not followed",
        404 | 405 | 410 => {
            "is that the path of the sockets? see socket.path of [target]; behind a reverse proxy, look whether it passes that path and `Upgrade` on"
        }
        400 => {
            "look at the server's log: does it want a sub-protocol, an origin or another header (headers and socket.origin of [target]), or does a reverse proxy not pass `Upgrade` on?"
        }
        429 => "wait: the server asks for it",
        502..=504 => "look at the server behind the reverse proxy, and at its Redis",
        _ => "look at the server's log",
    };
    Trouble::new(fact, cure)
}

/// The server asks for what was asked of it: who stands between has kept the wish to itself.
async fn wish_is_lost(server: &Server<'_>, path: &str, status: u16) -> bool {
    if status == 426 {
        return true;
    }
    if status != 400 {
        return false;
    }
    // The same words as to one who does not wish for it.
    match ask(server.http.get(server.path(path)), TIMEOUT).await {
        Answer::Status { status, body, .. } => {
            let body = String::from_utf8_lossy(&body).to_ascii_lowercase();
            status == 400 && body.contains("upgrade")
        }
        Answer::None | Answer::Broken(_) => false,
    }
}

/// Nothing of the contract is there: perhaps another server's sockets are.
async fn elsewhere(server: &Server<'_>, fact: &str) -> Trouble {
    for place in USUAL_PLACES {
        let there = match server.open_at(place, MADE_UP, &Jar::default()).await {
            Some(Ok(_)) => true,
            Some(Err(ConnectError::Status { status, .. })) => matches!(status, 401 | 403 | 426),
            _ => false,
        };
        if there {
            let fact = format!("{fact}, and there is no API, but sockets are served at {place}");
            let cure = "say how that server is spoken to in the [target] of a scenario, and give it as --scenario FILE (scenarios/TARGETS.md)";
            return Trouble::new(fact, cure).last();
        }
    }
    let fact = format!(
        "{fact}, there is no API, and no socket at any of the usual places: an HTTP server without WebSockets"
    );
    let cure = "name the chat server; in development, start it with the server that serves WebSockets (ASGI), not the one that serves HTTP only; one that serves them elsewhere needs a [target] with its socket.path";
    Trouble::new(fact, cure).known(Known::WrongServer).last()
}

/// Named where the server itself says that it cannot reach its tokens: else it may be slow or
/// stopped.
pub(super) async fn hangs(server: &Server<'_>) -> Trouble {
    let fact = format!("the upgrade is not answered within {TIMEOUT:?}");
    hanging(server, fact).await
}

async fn hanging(server: &Server<'_>, fact: String) -> Trouble {
    if api::failing(server)
        .await
        .iter()
        .any(|part| part == NO_TOKENS)
    {
        let cure = "bound the wait for Redis in the handshake, and close with 1011 when it is over; a client shows \"Connecting…\" until then";
        return Trouble::new(fact, cure).known(Known::ConnectHang);
    }
    Trouble::new(
        fact,
        "look whether the server is stopped, overloaded, or waits for something; bound every wait in the handshake",
    )
}

/// Who is let in later tells a refusal from a server that lets nobody in.
fn silent(fact: &str) -> Trouble {
    let cure = "complete the upgrade, then close with a code (4001, 4003, 1011), or refuse with a status: all a browser sees now is 1006";
    Trouble::new(fact, cure).suspected(Known::Silent1006)
}

/// The server breaks the WebSocket protocol, or a limit of ours.
pub(super) fn broke_protocol(failure: &Failure) -> Trouble {
    let cure =
        "look at the library that the server speaks WebSockets with, and at proxies on the way";
    Trouble::new(failure.text(), cure)
}

/// The server begins a message, and that is all.
pub(super) fn unfinished() -> Trouble {
    broke_protocol(&FailureKind::Unfinished.into())
}

/// Waits for the refusal.
pub(super) async fn refusal(server: &Server<'_>, door: Door) -> Result<(String, ()), Trouble> {
    let mut talk = match door {
        Door::Open(talk) => talk,
        Door::Refused(status) => {
            return Ok((
                format!("a made-up token is refused with status {status}"),
                (),
            ));
        }
    };
    let heard = match talk.enter(TIMEOUT).await {
        Entry::In => return Err(Trouble::new("a made-up token is let in", LET_IN)),
        Entry::Settled => {
            let fact = format!("a made-up token is let in: no close within {SETTLING:?}");
            return Err(Trouble::new(fact, LET_IN));
        }
        Entry::Unopened(failure) => return unopened(&failure),
        Entry::Not(heard) => heard,
    };
    match heard {
        Heard::Closed(1011) => Err(Trouble::new(
            "the server cannot check tokens: closed with 1011",
            "look at the server's Redis: its address, its password, whether it runs",
        )),
        Heard::Closed(code) => Ok((format!("a made-up token is refused with {code}"), ())),
        Heard::Violated(failure) => Err(broke_protocol(&failure)),
        Heard::Cut => Err(cut(server).await),
        Heard::Nothing if talk.is_unfinished() => Err(unfinished()),
        Heard::Nothing if talk.passed.frames > 0 => Err(Trouble::new(
            format!(
                "a made-up token is not refused within {TIMEOUT:?}; what comes is {}",
                talk.passed.first
            ),
            "check the token before anything is said to the client; if that is the greeting, name it: events.connected of [target]",
        )),
        Heard::Nothing | Heard::Frame(_) => {
            let fact = format!("a made-up token is neither let in nor refused within {TIMEOUT:?}");
            Err(hanging(server, fact).await)
        }
    }
}

/// A step of the opening did not go on for who has no right to it.
fn unopened(failure: &Failure) -> Result<(String, ()), Trouble> {
    if let FailureKind::Step {
        problem: StepProblem::Refused,
        ..
    } = failure.kind
    {
        return Ok((
            format!("a made-up token is refused: {}", failure.text()),
            (),
        ));
    }
    Err(Trouble::new(
        format!(
            "a made-up token is neither let in nor refused: {}",
            failure.text()
        ),
        "close with a code, or answer with an event that events.error of [target] names: a client waits for nothing else",
    ))
}

/// Once may be chance.
async fn cut(server: &Server<'_>) -> Trouble {
    let again = match server.open(MADE_UP).await {
        Some(Ok(opened)) => {
            let mut talk = server.talk(opened, MADE_UP);
            talk.enter(TIMEOUT).await
        }
        Some(Err(ConnectError::Broken(_))) => Entry::Not(Heard::Cut),
        Some(Err(_)) | None => Entry::Not(Heard::Nothing),
    };
    match again {
        Entry::Not(Heard::Cut) => silent("a made-up token is refused without a close code"),
        _ => Trouble::new(
            "a socket with a made-up token was cut, another one was not",
            "look at the server's log, and at what stands before it",
        ),
    }
}
