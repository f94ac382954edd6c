//! This module names what can go wrong for a client of the load, and who caused it.
//!
//! **In:** codes, statuses and words, as they were met. **Out:** [`Failure`]: one of a typed list of kinds, with
//! its code, and the words that came with it. Every kind has a label of its own, which names its code; none stands
//! for "others".
//!
//! **Source:** RFC 6455 (sections of protocol errors, close codes), RFC 9110 (statuses), RFC 8446 (alerts).

mod cause;
mod label;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest words kept of one failure, in characters.
const WORDS_CHARS_MAX: usize = 160;
/// Longest code of an `error` event, in characters.
const CODE_CHARS_MAX: usize = 40;
/// The connection ended without a close frame; never sent.
pub(crate) const ABNORMAL: u16 = 1006;
/// A message that has been under way for as long does not just come: its end is missing.
pub(crate) const UNFINISHED_AFTER: Duration = Duration::from_secs(1);
/// A message is longer than it may be.
const TOO_LONG: u16 = 1009;
/// What came is against the rules of who closes.
const POLICY: u16 = 1008;

/// Who caused a failure.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// The target answered it, closed it, or broke the protocol.
    Server,
    /// The way to the target: unreachable, reset, timed out.
    Network,
    /// A fault of the run was in force, or the service had not recovered from it.
    Fault,
    /// A limit of the harness, with its name.
    Harness,
    /// This machine ran out of something that the load needs.
    Generator,
    /// What the harness was told does not fit the target: a certificate, an address.
    Usage,
}

impl Cause {
    /// In words, as in "caused by the server".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Server => "the server",
            Self::Network => "the network, or the server without a word",
            Self::Fault => "a fault of the run",
            Self::Harness => "a limit of the harness",
            Self::Generator => "the load generator",
            Self::Usage => "how the harness was called",
        }
    }

    /// The numbers of such a run are not the target's.
    pub(crate) const fn is_ours(self) -> bool {
        match self {
            Self::Harness | Self::Generator => true,
            Self::Server | Self::Network | Self::Fault | Self::Usage => false,
        }
    }
}

/// Something that went wrong, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub kind: FailureKind,
    /// What came with it: a close reason, the first line of a body, the system's words. Safe to print, bounded.
    pub words: Option<Box<str>>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum FailureKind {
    /// A request over HTTP.
    Request(Request, RequestProblem),
    /// The connection of a socket.
    Dial(DialProblem),
    /// The way of a socket through the proxy that the user named.
    Tunnel(TunnelProblem),
    /// The TLS handshake of a socket.
    Tls(TlsProblem),
    /// The upgrade of a socket.
    Upgrade(UpgradeProblem),
    /// Every connector of the lane was busy until the attempt's time was over.
    ConnectQueue,
    /// The socket was closed with this code before it was ready; [`ABNORMAL`]: without a close frame.
    Refused { code: u16 },
    /// Nothing said that the socket is ready, in time.
    NotReady,
    /// What has to be said and heard before a socket is ready did not go on.
    Step {
        /// From 1.
        step: u8,
        /// As the scenario calls it; empty: by its number alone.
        name: Box<str>,
        problem: StepProblem,
    },
    /// An open socket was closed with this code.
    Closed { code: u16 },
    /// An open socket ended without a close frame.
    Cut(Ending),
    /// The server broke the WebSocket protocol; the client closed.
    Protocol(Rule),
    /// A message was longer than the harness takes; the client closed with 1009.
    MessageTooLong,
    /// What came on a socket is past another limit of the harness; the client closed with 1008.
    Limit(Limit),
    /// A message of the server began, and its end had not come when the client left.
    Unfinished,
    /// A frame that cannot be read as the server is said to speak.
    BadFrame,
    /// An answer to an id that no client of this run gave a message.
    ForeignAnswer,
    /// The next answer began before this one had ended.
    NotEnded,
    /// An `error` event, by its code.
    Event { code: Box<str> },
    /// A heartbeat had no answer when the next one was due.
    HeartbeatUnanswered,
    /// A client had too many messages without an end; the oldest was settled as it stood.
    OpenMessages,
    /// `error` events with codes past the number that is kept apart: a server may make up one for each.
    Further,
}

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The page before a login.
    Page,
    Login,
    /// What the answer to a login leads to.
    Redirect,
    Refresh,
    Token,
}

impl Request {
    /// Its name in goose's metrics and in labels.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Page => "login page",
            Self::Login => "login",
            Self::Redirect => "login redirect",
            Self::Refresh => "refresh",
            Self::Token => "token",
        }
    }
}

/// What became of a request that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum RequestProblem {
    /// This status, where another one grants.
    Status(u16),
    /// No answer in time.
    Timeout,
    /// No connection.
    Dial(DialProblem),
    /// The proxy that the user named opened no way.
    Tunnel,
    /// No TLS.
    Tls(TlsProblem),
    /// The connection ended before an answer.
    Closed,
    /// The connection was reset before an answer.
    Reset,
    /// A good status, and no credential can be read from the answer.
    Unreadable,
    /// The answer was longer than is read.
    TooLong,
    /// What came is no HTTP.
    NotHttp,
    /// goose did not put it on the way: the run is ending, say.
    Unsent,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum DialProblem {
    /// This machine gave no socket: files, ports or memory; the system's number.
    Local(i32),
    Refused,
    Reset,
    Timeout,
    Unreachable,
    /// Another error, by the system's number.
    System(i32),
}

/// Why a proxy opened no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum TunnelProblem {
    /// It is not reached itself.
    Dial(DialProblem),
    /// It answered `CONNECT` with this status.
    Status(u16),
    /// What it answered is no HTTP.
    NotHttp,
    /// The head of its answer was longer than is read.
    TooLong,
    Closed,
    Reset,
    /// No answer in time.
    Timeout,
    /// Something came through it before anything was said.
    Early,
}

/// Why there is no TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum TlsProblem {
    /// The server sent this alert.
    Alert(u8),
    /// Its certificate is not believed.
    Certificate,
    /// What it speaks is no TLS, or breaks its rules.
    Handshake,
    /// The connection ended in the handshake.
    Ended,
}

/// Why there is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum UpgradeProblem {
    Status(u16),
    /// A 101 whose headers are no handshake of RFC 6455.
    Handshake,
    /// What came is no HTTP.
    NotHttp,
    /// What came is TLS, on a connection without.
    SpeaksTls,
    /// The head of the answer was longer than is read.
    TooLong,
    Closed,
    Reset,
    /// No answer in time.
    Timeout,
}

/// Why a step of an opening did not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum StepProblem {
    /// No frame of those that it waits for came in time.
    Unanswered,
    /// An `error` event came instead.
    Refused,
    /// The frame came, and what is to be captured is not in it.
    NothingToCapture,
}

/// How a connection ended without a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// The other end closed it.
    Closed,
    /// It was reset.
    Reset,
    /// TLS ended it, or broke: by this alert, where there was one.
    Tls(Option<u8>),
    /// The server read nothing until no more could wait to be written.
    Unread,
    /// Another error, by the system's number.
    System(i32),
}

/// What a server may not send without end: fragments of one message, pings, pongs and closes in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Limit {
    Fragments,
    ControlFrames,
    /// From the beginning of a message to its end.
    MessageTime,
    /// Messages whose copies are waited for at once, in all rooms: those past it were not followed.
    Copies,
}

/// A rule of RFC 6455 that a server can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Rule {
    ReservedBits,
    Masked,
    Opcode(u8),
    ControlFragmented,
    ControlTooLong,
    NothingToContinue,
    InterleavedMessage,
    ClosePayload,
    CloseCode,
    Length,
    LongLength,
    AfterClose,
    Utf8,
    /// One that has no place of its own here; the words say which.
    Framing,
}

impl Rule {
    /// What was broken, and the section that says so.
    const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::ReservedBits => (
                "reserved bits are set though no extension was agreed",
                "5.2",
            ),
            Self::Masked => ("a masked frame came from the server", "5.1"),
            Self::Opcode(_) => ("unknown opcode", "5.2"),
            Self::ControlFragmented => ("a control frame is fragmented", "5.5"),
            Self::ControlTooLong => ("a control frame is longer than 125 bytes", "5.5"),
            Self::NothingToContinue => ("a continuation without a message", "5.4"),
            Self::InterleavedMessage => ("a new message within a fragmented one", "5.4"),
            Self::ClosePayload => ("a close frame of one byte", "5.5.1"),
            Self::CloseCode => ("a close frame with a code that may not be sent", "7.4"),
            Self::Length => ("a length with its first bit set", "5.2"),
            Self::LongLength => ("a length in more bytes than it needs", "5.2"),
            Self::AfterClose => ("a frame after the close frame", "5.5.1"),
            Self::Utf8 => ("text that is not UTF-8", "8.1"),
            Self::Framing => ("bad framing", "5"),
        }
    }

    /// The code with which the client closes.
    const fn close_code(self) -> u16 {
        if matches!(self, Self::Utf8) {
            1007
        } else {
            1002
        }
    }
}

impl FailureKind {
    /// The code with which a client closes a socket for it.
    pub(crate) const fn close_code(&self) -> u16 {
        if let Self::Protocol(rule) = self {
            rule.close_code()
        } else if matches!(self, Self::Limit(_)) {
            POLICY
        } else {
            TOO_LONG
        }
    }
}

impl Failure {
    pub(crate) const fn new(kind: FailureKind) -> Self {
        Self { kind, words: None }
    }

    /// With what came with it; empty words are none.
    pub(crate) fn said(kind: FailureKind, words: &str) -> Self {
        let words = clipped(words, WORDS_CHARS_MAX);
        let words = (!words.is_empty()).then(|| words.into_boxed_str());
        Self { kind, words }
    }

    /// An `error` event, with its text.
    pub(crate) fn event(code: &str, text: &str) -> Self {
        let code = clipped(code, CODE_CHARS_MAX).into_boxed_str();
        Self::said(FailureKind::Event { code }, text)
    }

    /// Label and words, in one line.
    pub(crate) fn text(&self) -> String {
        match &self.words {
            Some(words) => format!("{}: {words}", self.kind),
            None => self.kind.to_string(),
        }
    }
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self::new(kind)
    }
}

/// The first line, without control characters, of bounded length.
fn clipped(text: &str, chars_max: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim_end();
    let clean = line
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut clean: String = clean.take(chars_max + 1).collect();
    if clean.chars().count() > chars_max {
        clean = clean.chars().take(chars_max - 1).collect();
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_its_code_whatever_that_is() {
        let labels = [
            FailureKind::Upgrade(UpgradeProblem::Status(521)),
            FailureKind::Refused { code: 4999 },
            FailureKind::Request(Request::Login, RequestProblem::Status(418)),
            FailureKind::Tls(TlsProblem::Alert(116)),
            FailureKind::Tunnel(TunnelProblem::Status(407)),
            FailureKind::Dial(DialProblem::System(113)),
            FailureKind::Protocol(Rule::Opcode(11)),
        ];
        assert_eq!(
            labels.map(|kind| kind.to_string()),
            [
                "upgrade 521",
                "refused 4999",
                "login 418",
                "TLS alert 116",
                "proxy 407",
                "connect errno 113",
                "protocol error: unknown opcode 0xb (RFC 6455, 5.2)"
            ]
        );
    }

    #[test]
    fn words_are_one_line_of_bounded_length_and_safe_to_print() {
        let failure = Failure::said(FailureKind::NotReady, "  no\u{1b}[31m such tenant\r\nmore");
        assert_eq!(failure.words.as_deref(), Some("no\u{fffd}[31m such tenant"));
        let long = Failure::said(FailureKind::NotReady, &"ä".repeat(1_000));
        let words = long.words.unwrap();
        assert_eq!(words.chars().count(), WORDS_CHARS_MAX);
        assert!(words.ends_with('…'));
        assert_eq!(Failure::said(FailureKind::NotReady, " \n ").words, None);
    }

    #[test]
    fn a_limit_of_ours_is_never_the_servers_doing() {
        for kind in [
            FailureKind::MessageTooLong,
            FailureKind::Limit(Limit::Fragments),
            FailureKind::OpenMessages,
            FailureKind::ConnectQueue,
            FailureKind::Dial(DialProblem::Local(24)),
            FailureKind::Request(Request::Token, RequestProblem::TooLong),
            FailureKind::Upgrade(UpgradeProblem::TooLong),
        ] {
            assert!(kind.cause().is_ours(), "{kind}");
        }
        assert!(!FailureKind::Closed { code: 1011 }.cause().is_ours());
    }
}
