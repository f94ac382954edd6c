//! This module knocks with a token that nobody gave out: the upgrade must work, and the refusal must be
//! one that a browser can see.

use std::io;

use super::api::has_login;
use super::{Known, PATIENCE, Server, Trouble};
use crate::client::connector::ConnectError;
use crate::client::dialect;
use crate::client::talk::{Heard, Talk};
use crate::client::wire::ServerFrame;
use crate::failure::Failure;

/// 43 characters, as a real one has.
const MADE_UP: &str = "harness-doctor-made-up-token-harness-doctor";
const PASS_UPGRADE_ON: &str = "have the reverse proxy pass `Upgrade` and `Connection` on, over HTTP/1.1: in nginx proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection \"upgrade\"";

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
        return Err(hangs());
    };
    match opened {
        Ok(opened) => {
            let talk = Talk::new(opened.socket).speaking(server.manners.dialect.clone());
            Ok(("101".to_owned(), Door::Open(Box::new(talk))))
        }
        Err(ConnectError::Status {
            status: status @ (401 | 403),
            ..
        }) => {
            let fact = format!("refused in the handshake: {status}");
            Ok((fact, Door::Refused(status)))
        }
        Err(ConnectError::Status {
            status: status @ (502..=504),
            ..
        }) => Err(Trouble::new(
            format!("the upgrade is answered with {status}"),
            "look at the server behind the reverse proxy, and at its Redis",
        )),
        Err(ConnectError::Status { status, .. }) => {
            Err(no_upgrade(server, &format!("the upgrade is answered with {status}")).await)
        }
        Err(error @ (ConnectError::NotWebSocket(_) | ConnectError::NotHttp(_))) => {
            Err(no_upgrade(server, &error.to_string()).await)
        }
        Err(ConnectError::Broken(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(
            silent("the connection ends without an answer to the upgrade"),
        ),
        Err(error) => Err(silent(&error.to_string())),
    }
}

/// An answer that is no upgrade: the server is behind something that swallows the wish, or is another one.
async fn no_upgrade(server: &Server<'_>, fact: &str) -> Trouble {
    if has_login(server).await {
        let fact = format!("{fact}, though the API is there");
        return Trouble::new(fact, PASS_UPGRADE_ON).known(Known::ProxyNoUpgrade);
    }
    let fact = format!("{fact}, and there is no API: an HTTP server without WebSockets");
    let cure = "name the chat server; in development, start it with the server that serves WebSockets (ASGI), not the one that serves HTTP only";
    Trouble::new(fact, cure).known(Known::WrongServer)
}

fn hangs() -> Trouble {
    let cure = "bound the wait for Redis in the handshake, and close with 1011 when it is over; a client shows \"Connecting…\" until then";
    Trouble::new(
        format!("the upgrade is not answered within {PATIENCE:?}"),
        cure,
    )
    .known(Known::ConnectHang)
}

fn silent(fact: &str) -> Trouble {
    let cure = "complete the upgrade, then close with a code (4001, 4003, 1011), or refuse with a status: all a browser sees now is 1006";
    Trouble::new(fact, cure).known(Known::Silent1006)
}

/// The server breaks the WebSocket protocol, or a limit of ours.
pub(super) fn broken(failure: &Failure) -> Trouble {
    let cure =
        "look at the library that the server speaks WebSockets with, and at proxies on the way";
    Trouble::new(failure.text(), cure)
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
    match talk
        .hear(PATIENCE, |frame| matches!(frame, ServerFrame::Connected))
        .await
    {
        Heard::Closed(1011) => Err(Trouble::new(
            "the server cannot check tokens: closed with 1011",
            "look at the server's Redis: its address, its password, whether it runs",
        )),
        Heard::Closed(code) => Ok((format!("a made-up token is refused with {code}"), ())),
        Heard::Violated(failure) => Err(broken(&failure)),
        Heard::Cut => Err(silent("a made-up token is refused without a close code")),
        Heard::Frame(_) => Err(Trouble::new(
            "a made-up token is let in",
            "check the token before anything is said to the client",
        )),
        Heard::Nothing if dialect::is_ready_at_once(server.manners.dialect.as_deref()) => {
            Err(Trouble::new(
                format!("a made-up token is let in: no close within {PATIENCE:?}"),
                "check the token before anything is said to the client",
            ))
        }
        Heard::Nothing => Err(Trouble::new(
            format!("a made-up token is neither let in nor refused within {PATIENCE:?}"),
            "bound the wait for Redis when a token is checked, and close with 1011 when it is over",
        )
        .known(Known::ConnectHang)),
    }
}
