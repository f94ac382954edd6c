//! This module talks on one socket: first event, heartbeat, one message, and silence.

use std::time::Duration;

use super::api::NOAUTH_CURE;
use super::door::broken;
use super::{Known, Manners, PATIENCE, Server, Trouble};
use crate::client::dialect::{self, message};
use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, UNNUMBERED, filler};
use crate::clock::{monotonic_ns, wall_ns};
use crate::format;

const MESSAGE_CHARS: u32 = 40;
/// Longest wait for the whole of an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// A server that pings at all does so within this (wire contract: every 25 s).
const PING_EXPECTED_WITHIN: Duration = Duration::from_secs(30);

/// Where a server says nothing to who is let in, it is let in who is not thrown out within this.
const SETTLING: Duration = Duration::from_secs(2);

/// A socket under examination.
pub(super) struct Session(Talk);

/// Connects as a client with a good token.
pub(super) async fn connect(
    server: &Server<'_>,
    token: &str,
) -> Result<(String, Session), Trouble> {
    let opened = match server.open(token).await {
        Some(Ok(opened)) => opened,
        Some(Err(error)) => {
            return Err(Trouble::new(error.to_string(), "look at the server's log"));
        }
        None => {
            let fact = format!("the upgrade is not answered within {PATIENCE:?}");
            let cure =
                "bound the wait for Redis in the handshake, and close with 1011 when it is over";
            return Err(Trouble::new(fact, cure).known(Known::ConnectHang));
        }
    };
    let dialect = server.manners.dialect.clone();
    let at_once = dialect::is_ready_at_once(dialect.as_deref());
    let mut talk = Talk::new(opened.socket).speaking(dialect);
    let patience = if at_once { SETTLING } else { PATIENCE };
    match talk
        .hear(patience, |frame| matches!(frame, ServerFrame::Connected))
        .await
    {
        Heard::Frame(_) => Ok(("connected".to_owned(), Session(talk))),
        Heard::Nothing if at_once => Ok(("open".to_owned(), Session(talk))),
        Heard::Closed(1011) => {
            let fact = "closed with 1011: tokens work, the channel layer does not";
            Err(Trouble::new(fact, NOAUTH_CURE).known(Known::RedisNoauth))
        }
        Heard::Closed(code @ (4001 | 4401)) => Err(Trouble::new(
            format!("a token just given is refused with {code}"),
            "look whether token endpoint and server share one Redis database, and at its clock",
        )),
        Heard::Closed(code) => Err(Trouble::new(
            format!("closed with {code} instead of `connected`"),
            "look at the server's log, and at its Redis",
        )),
        Heard::Violated(failure) => Err(broken(&failure)),
        Heard::Cut => {
            let cure = "close with a code that says why: all a browser sees now is 1006";
            Err(
                Trouble::new("cut without a close code before `connected`", cure)
                    .known(Known::Silent1006),
            )
        }
        Heard::Nothing => {
            let fact = format!("open, but no `connected` within {PATIENCE:?}");
            Err(Trouble::new(fact, NOAUTH_CURE).known(Known::RedisNoauth))
        }
    }
}

/// There is a heartbeat, and an answer to it.
pub(super) fn beats(manners: &Manners) -> bool {
    let dialect = manners.dialect.as_deref();
    dialect::heartbeat(dialect).is_some() && dialect::has_pong(dialect)
}

impl Session {
    fn say(&mut self, text: String) -> Result<(), Trouble> {
        let said = self.0.say(text);
        said.map_err(|error| Trouble::new(error.to_string(), "look at the server's log"))
    }

    /// `{"type":"ping"}` is answered, and is no message.
    pub(super) async fn heartbeat(&mut self, server: &Server<'_>) -> Result<(String, ()), Trouble> {
        let dialect = server.manners.dialect.as_deref();
        self.say(dialect::heartbeat(dialect).unwrap_or_default().to_owned())?;
        let taken_for_chat = Trouble::new(
            "a heartbeat is taken for a chat message",
            "answer {\"type\":\"ping\"} before a frame is looked at as a message",
        )
        .known(Known::PingAsChat);
        let answers = |frame: &ServerFrame<'_>| {
            matches!(
                frame,
                ServerFrame::Pong | ServerFrame::Error(_) | ServerFrame::TaskQueued { .. }
            )
        };
        match self.0.hear(PATIENCE, answers).await {
            Heard::Frame(text) if matches!(self.0.parse(&text), Ok(ServerFrame::Pong)) => {
                Ok(("ping, pong".to_owned(), ()))
            }
            Heard::Frame(_) => Err(taken_for_chat),
            Heard::Closed(code) => Err(Trouble::new(
                format!("a heartbeat is answered by closing with {code}"),
                "answer {\"type\":\"ping\"} with {\"event\":\"pong\"}",
            )
            .known(Known::PingAsChat)),
            Heard::Violated(failure) => Err(broken(&failure)),
            Heard::Cut => Err(Trouble::new(
                "a heartbeat ends the connection",
                "answer {\"type\":\"ping\"} with {\"event\":\"pong\"}",
            )
            .known(Known::PingAsChat)),
            Heard::Nothing => Err(Trouble::new(
                format!("no `pong` within {PATIENCE:?}"),
                "answer {\"type\":\"ping\"} with {\"event\":\"pong\"}: a browser cannot send WebSocket pings",
            )),
        }
    }

    /// One message and the whole of its answer.
    pub(super) async fn message(&mut self, server: &Server<'_>) -> Result<(String, ()), Trouble> {
        let text = filler(MESSAGE_CHARS);
        // One that was never asked before: a server remembers ids.
        let id = format!("harness-doctor-{}", wall_ns());
        let dialect = server.manners.dialect.as_deref();
        self.say(message(dialect, (&text, &id), server.places()))?;
        let begun = |frame: &ServerFrame<'_>| {
            matches!(
                frame,
                ServerFrame::TaskQueued { .. }
                    | ServerFrame::ProcessingStarted { .. }
                    | ServerFrame::Chunk { .. }
                    | ServerFrame::Complete { .. }
                    | ServerFrame::Answer { .. }
                    | ServerFrame::Error(_)
            )
        };
        match self.0.hear(PATIENCE, begun).await {
            Heard::Frame(text) => match self.0.parse(&text) {
                Ok(ServerFrame::Error(error)) => {
                    return Err(Trouble::new(
                        format!("the message is refused: {}", error.code),
                        "look at the server's Redis: its address, its password, whether it runs",
                    ));
                }
                Ok(ServerFrame::Complete { .. } | ServerFrame::Answer { .. }) => {
                    return Ok(("answered".to_owned(), ()));
                }
                _ => {}
            },
            Heard::Nothing => {
                let fact = format!("connected, but nothing comes back within {PATIENCE:?}");
                return Err(Trouble::new(fact, NOAUTH_CURE).known(Known::RedisNoauth));
            }
            ended => return Err(ended_by(&ended)),
        }
        let complete = |frame: &ServerFrame<'_>| {
            matches!(
                frame,
                ServerFrame::Complete { .. } | ServerFrame::Answer { .. } | ServerFrame::Error(_)
            )
        };
        match self.0.hear(ANSWER_PATIENCE, complete).await {
            Heard::Frame(text) => match self.0.parse(&text) {
                Ok(ServerFrame::Complete { chunks, .. }) if chunks != UNNUMBERED => {
                    Ok((format!("queued and answered in {chunks} chunks"), ()))
                }
                Ok(ServerFrame::Complete { .. } | ServerFrame::Answer { .. }) => {
                    Ok(("queued and answered".to_owned(), ()))
                }
                _ => Err(Trouble::new(
                    "queued, then an error instead of an answer",
                    "look at the worker's log",
                )),
            },
            Heard::Nothing => Err(Trouble::new(
                format!("queued, but not answered within {ANSWER_PATIENCE:?}"),
                "look whether a worker runs, and whether it reads the same Redis",
            )),
            ended => Err(ended_by(&ended)),
        }
    }

    /// Says nothing for `length`; the socket must live, and somebody must keep it alive.
    pub(super) async fn idle(&mut self, length: Duration) -> Result<(String, ()), Trouble> {
        self.0.pings = 0;
        let begun_ns = monotonic_ns();
        let heard = self.0.hear(length, |_| false).await;
        let lived = format::plain(&format::duration((monotonic_ns() - begun_ns) / 1_000));
        let cure = "have the server send a WebSocket ping more often than the shortest idle timeout on the way (25 s suits most)";
        let unkept = |fact: String| Err(Trouble::new(fact, cure).known(Known::NoServerPing));
        let pings = self.0.pings;
        match heard {
            Heard::Nothing if pings > 0 => Ok((
                format!("open after {lived}, {pings} pings of the server"),
                (),
            )),
            Heard::Nothing if length < PING_EXPECTED_WITHIN => Ok((
                format!("open after {lived}; too short to expect a ping of the server"),
                (),
            )),
            Heard::Nothing => unkept(format!("no ping of the server in {lived}")),
            Heard::Cut if pings == 0 => unkept(format!(
                "cut without a word after {lived} of silence, in which the server sent no ping"
            )),
            ended => Err(Trouble::new(
                format!(
                    "{} after {lived} of silence and {pings} pings",
                    word(&ended)
                ),
                "look at the idle timeouts of the server and of what stands before it",
            )),
        }
    }

    pub(super) fn close(self) {
        self.0.close();
    }
}

fn word(ended: &Heard) -> String {
    match ended {
        Heard::Violated(failure) => format!("closed by the harness ({})", failure.text()),
        Heard::Closed(code) => format!("closed with {code}"),
        Heard::Cut | Heard::Frame(_) | Heard::Nothing => "cut without a close code".to_owned(),
    }
}

fn ended_by(ended: &Heard) -> Trouble {
    Trouble::new(
        format!("the socket is {} instead of an answer", word(ended)),
        "look at the server's log",
    )
}
