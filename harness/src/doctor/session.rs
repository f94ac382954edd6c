//! This module talks on one socket: first event, heartbeat, one message, and silence.

use std::time::Duration;

use super::answer::{foreign, is_by_id, nameless, refused};
use super::api::{NOAUTH_CURE, failing};
use super::door::{broke_protocol, hangs, unfinished, words};
use super::report::Trouble;
use super::server::{NO_LAYER, Protocol, Server, TIMEOUT};
use crate::account::Jar;
use crate::client::dialect;
use crate::client::passed::Passed;
use crate::client::talk::{Entry, Heard, Talk};
use crate::client::template::{heartbeat, message};
use crate::client::wire::{ServerFrame, UNNUMBERED, filler};
use crate::clock::{monotonic_ns, wall_ns};
use crate::format;
use crate::known::Known;
use crate::plan::{Credential, Dialect, IdKind};

const MESSAGE_CHARS: u32 = 40;
/// Longest wait for the whole of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that pings at all does so within this (wire contract: every 25 s).
const PING_EXPECTED_WITHIN: Duration = Duration::from_secs(30);

/// Errors of the contract about what a message says.
const OF_A_TEXT: [&str; 3] = ["bad_frame", "empty", "too_long"];
const UNKNOWN_BEATS: &str = "does send.heartbeat of [target] say what this server expects, and events.pong what it answers?";

/// A socket under examination.
pub(super) struct Session(Talk);

/// Connects as a client with a good token.
pub(super) async fn connect(
    server: &Server<'_>,
    token: &str,
    jar: &Jar,
) -> Result<(String, Session), Trouble> {
    let path = server.socket_path();
    let opened = match server.open_at(&path, token, jar).await {
        Some(Ok(opened)) => opened,
        Some(Err(error)) => {
            return Err(Trouble::new(words(&error), "look at the server's log"));
        }
        None => return Err(hangs(server).await),
    };
    let at_once = dialect::is_ready_at_once(server.protocol.dialect.as_deref());
    let mut talk = server.talk(opened, token);
    let heard = match talk.enter(TIMEOUT).await {
        Entry::In => return Ok((said_of_entry(server), Session(talk))),
        Entry::Settled => return Ok(("open".to_owned(), Session(talk))),
        Entry::Unopened(failure) => return Err(Trouble::new(failure.text(), UNOPENED)),
        Entry::Not(heard) => heard,
    };
    match heard {
        Heard::Closed(1011) => {
            Err(layer(server, "closed with 1011 instead of `connected`".to_owned()).await)
        }
        Heard::Closed(code @ (4001 | 4401))
            if server.protocol.credential == Credential::ConnectionToken =>
        {
            Err(Trouble::new(
                format!("a token just given is refused: {}", talk.closed_with(code)),
                "look whether token endpoint and server share one Redis database, and at its clock",
            ))
        }
        Heard::Closed(code) if at_once => Err(Trouble::new(
            format!("{} at once", talk.closed_with(code)),
            "look at the server's log",
        )),
        Heard::Closed(code) => Err(Trouble::new(
            format!("{} instead of `connected`", talk.closed_with(code)),
            "look at the server's log, and at its Redis",
        )),
        Heard::Violated(failure) => Err(broke_protocol(&failure)),
        Heard::Cut => Err(Trouble::new(
            "cut without a close code before `connected`",
            "look at the server's log; close with a code that says why: all a browser sees now is 1006",
        )),
        Heard::Nothing if talk.is_unfinished() => Err(unfinished()),
        Heard::Nothing if talk.passed.frames > 0 => Err(Trouble::new(
            format!(
                "open, and {} frames came, none of them `connected`; the first: {}",
                talk.passed.frames, talk.passed.first
            ),
            UNKNOWN_EVENTS,
        )),
        Heard::Nothing | Heard::Frame(_) => {
            let fact = format!("open, but no `connected` within {TIMEOUT:?}, nor anything else");
            Err(layer(server, fact).await)
        }
    }
}

/// That somebody is let in, and after which steps.
fn said_of_entry(server: &Server<'_>) -> String {
    let dialect = server.protocol.dialect.as_deref();
    let steps = dialect.map_or(&[][..], |dialect| &dialect.open);
    let named = steps.iter().zip(1..).map(|(step, nth)| match &step.name {
        Some(name) => name.clone(),
        None => format!("{nth}"),
    });
    let named: Vec<String> = named.collect();
    match named.len() {
        0 => "connected".to_owned(),
        1 => format!("open after one step: {}", named.concat()),
        steps => format!("open after {steps} steps: {}", named.join(", ")),
    }
}

const UNOPENED: &str = "look at the server's log; do the steps of [[target.open]] say what it expects, in its order, and await what it answers?";
const UNKNOWN_EVENTS: &str = "does [target] name the events of this server, and events.field the field in which they stand? a server without a greeting has connected = \"none\"";

/// What is missing where tokens work, and answers do not come: named where the server itself says
/// so, and of nothing else.
async fn layer(server: &Server<'_>, fact: String) -> Trouble {
    if failing(server).await == [NO_LAYER] {
        let fact = format!("{fact}: tokens work, the channel layer does not");
        return Trouble::new(fact, NOAUTH_CURE).known(Known::RedisNoauth);
    }
    if server.protocol.dialect.is_some() {
        return Trouble::new(
            fact,
            "look at the server's log; does it wait for the client to speak first, or for a frame that [target] does not send?",
        );
    }
    Trouble::new(
        fact,
        "look at the server's log, and at its Redis: a channel layer whose URL lacks the password looks like this, and so does a server that waits for the client to speak first",
    )
}

/// There is a heartbeat, and an answer to it.
pub(super) fn beats(protocol: &Protocol) -> bool {
    let dialect = protocol.dialect.as_deref();
    dialect::has_heartbeat(dialect) && dialect::has_pong(dialect)
}

impl Session {
    fn say(&mut self, text: String) -> Result<(), Trouble> {
        let said = self.0.say(text);
        said.map_err(|error| Trouble::new(error.to_string(), "look at the server's log"))
    }

    /// `{"type":"ping"}` is answered, and is no message.
    pub(super) async fn heartbeat(&mut self, server: &Server<'_>) -> Result<(String, ()), Trouble> {
        let dialect = server.protocol.dialect.as_deref();
        let mapped = dialect.map(|dialect| (dialect, self.0.speaker().places()));
        let beat = heartbeat(mapped).unwrap_or_default();
        self.say(beat)?;
        let contract = dialect.is_none();
        let cure = "answer {\"type\":\"ping\"} before a frame is looked at as a message";
        let taken_for_chat = |fact: String| {
            let trouble = Trouble::new(fact, cure);
            if contract {
                trouble.known(Known::PingAsChat)
            } else {
                trouble.cured_by(UNKNOWN_BEATS)
            }
        };
        let answers = |frame: &ServerFrame<'_>| {
            matches!(
                frame,
                ServerFrame::Pong | ServerFrame::Error(_) | ServerFrame::TaskQueued { .. }
            )
        };
        let other = |fact: String| {
            let cure = if contract {
                "answer {\"type\":\"ping\"} with {\"event\":\"pong\"}: a browser cannot send WebSocket pings"
            } else {
                UNKNOWN_BEATS
            };
            Err(Trouble::new(fact, cure))
        };
        let passed = self.0.passed.frames;
        match self.0.hear(TIMEOUT, answers).await {
            Heard::Frame(text) => match self.0.parse(&text) {
                Ok(ServerFrame::Pong) => Ok(("ping, pong".to_owned(), ())),
                Ok(ServerFrame::TaskQueued { .. }) => Err(taken_for_chat(
                    "a heartbeat is queued as a chat message".to_owned(),
                )),
                // What is wrong with it is its text, as if it were to be read by somebody.
                Ok(ServerFrame::Error(error)) if OF_A_TEXT.contains(&&*error.code) => {
                    Err(taken_for_chat(format!(
                        "a heartbeat is taken for a chat message: {}",
                        error.code
                    )))
                }
                Ok(ServerFrame::Error(error)) => other(format!(
                    "a heartbeat is answered by an error: {}",
                    error.code
                )),
                _ => other(format!("a heartbeat is answered by {text}")),
            },
            Heard::Closed(code) => other(format!("a heartbeat is answered by closing with {code}")),
            Heard::Violated(failure) => Err(broke_protocol(&failure)),
            Heard::Cut => other("a heartbeat ends the connection".to_owned()),
            Heard::Nothing if self.0.is_unfinished() => Err(unfinished()),
            Heard::Nothing if self.0.passed.frames > passed => other(format!(
                "no `pong` within {TIMEOUT:?} among {} frames; the first: {}",
                self.0.passed.frames - passed,
                self.0.passed.first
            )),
            Heard::Nothing => other(format!("no `pong` within {TIMEOUT:?}")),
        }
    }

    /// Writes one message; its id.
    fn write(&mut self, dialect: Option<&Dialect>) -> Result<String, Trouble> {
        let text = filler(MESSAGE_CHARS);
        // One that was never asked before: a server remembers ids.
        let id = match dialect.map(|dialect| dialect.ids) {
            Some(IdKind::Number) => (wall_ns() / 1_000).to_string(),
            Some(IdKind::Text) | None => format!("harness-doctor-{}", wall_ns()),
        };
        let mapped = dialect.map(|dialect| (dialect, self.0.speaker().places()));
        let said = message(mapped, &text, &id);
        self.say(said)?;
        Ok(id)
    }

    /// One message and the whole of its answer.
    pub(super) async fn message(&mut self, server: &Server<'_>) -> Result<(String, ()), Trouble> {
        let dialect = server.protocol.dialect.as_deref();
        let id = self.write(dialect)?;
        let passed = self.0.passed.frames;
        match self.0.hear(TIMEOUT, is_of_an_answer).await {
            Heard::Frame(text) => match self.0.parse(&text) {
                Ok(ServerFrame::Error(error)) => return Err(refused(&error, dialect.is_some())),
                Ok(ServerFrame::Answer { id: Some(other) }) if other != id => {
                    return Err(foreign(&other));
                }
                Ok(ServerFrame::Answer { id: None }) if is_by_id(dialect) => {
                    return Err(nameless(dialect));
                }
                Ok(ServerFrame::Complete { .. } | ServerFrame::Answer { .. }) => {
                    return Ok(("answered".to_owned(), ()));
                }
                _ => {}
            },
            Heard::Nothing if self.0.is_unfinished() => return Err(unfinished()),
            Heard::Nothing if self.0.passed.frames > passed => {
                let fact = format!(
                    "the message is followed by {} frames, and none is an answer; the first: {}",
                    self.0.passed.frames - passed,
                    self.0.passed.first
                );
                return Err(Trouble::new(fact, UNKNOWN_EVENTS));
            }
            Heard::Nothing => {
                let fact = format!("connected, but nothing comes back within {TIMEOUT:?}");
                return Err(layer(server, fact).await);
            }
            ended => return Err(ended_by(&ended)),
        }
        let complete = |frame: &ServerFrame<'_>| {
            matches!(
                frame,
                ServerFrame::Complete { .. } | ServerFrame::Answer { .. } | ServerFrame::Error(_)
            )
        };
        match self.0.hear(ANSWER_TIMEOUT, complete).await {
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
            Heard::Nothing if self.0.is_unfinished() => Err(unfinished()),
            Heard::Nothing => Err(Trouble::new(
                format!("queued, but not answered within {ANSWER_TIMEOUT:?}"),
                "look whether a worker runs, and whether it reads the same Redis",
            )),
            ended => Err(ended_by(&ended)),
        }
    }

    /// Says nothing for `length`; the socket must live, and somebody must keep it alive.
    pub(super) async fn idle(
        &mut self,
        server: &Server<'_>,
        length: Duration,
    ) -> Result<(String, ()), Trouble> {
        self.0.pings = 0;
        self.0.passed = Passed::default();
        let begun_ns = monotonic_ns();
        let heard = self.0.hear(length, |_| false).await;
        let lived = format::plain(&format::duration((monotonic_ns() - begun_ns) / 1_000));
        let cure = "have the server send a WebSocket ping more often than the shortest idle timeout on the way (25 s suits most)";
        // The contract has the server ping; another may leave it to its clients.
        let contract = server.protocol.dialect.is_none();
        let unkept = |fact: String| {
            let trouble = Trouble::new(fact, cure);
            Err(if contract {
                trouble.known(Known::NoServerPing)
            } else {
                trouble
            })
        };
        let (pings, frames) = (self.0.pings, self.0.passed.frames);
        match heard {
            Heard::Nothing if pings > 0 => Ok((
                format!("open after {lived}, {pings} pings of the server"),
                (),
            )),
            Heard::Nothing if frames > 0 => Ok((
                format!("open after {lived}, {frames} frames of the server, and no ping"),
                (),
            )),
            Heard::Nothing if length < PING_EXPECTED_WITHIN => Ok((
                format!("open after {lived}; too short to expect a ping of the server"),
                (),
            )),
            Heard::Nothing if beats(server.protocol) && !contract => Ok((
                format!("open after {lived} without a ping of the server: clients keep it alive"),
                (),
            )),
            Heard::Nothing => unkept(format!("no ping of the server in {lived}")),
            Heard::Cut if pings == 0 && frames == 0 => unkept(format!(
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

/// Something that follows a message.
fn is_of_an_answer(frame: &ServerFrame<'_>) -> bool {
    matches!(
        frame,
        ServerFrame::TaskQueued { .. }
            | ServerFrame::ProcessingStarted { .. }
            | ServerFrame::Chunk { .. }
            | ServerFrame::Complete { .. }
            | ServerFrame::Answer { .. }
            | ServerFrame::Error(_)
    )
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
