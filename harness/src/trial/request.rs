//! This module is how a socket is asked for, and what may come of it.

use crate::client::talk::Talk;
use crate::failure::Failure;
use crate::plan::Credential;

/// An access token and when its server says that it ends, if it says so.
pub(super) struct Access {
    pub secret: String,
    pub ends_us: Option<u64>,
}

/// Close codes that say so: RFC 6455's for a broken policy, the two of the IANA registry, and what applications
/// number like the statuses of HTTP, as the contract does (4001, 4003, 4401, 4403). Idle and flooding (4408, 4429)
/// lie after them.
const POLICY: u16 = 1008;
const UNAUTHORIZED: u16 = 3000;
const FORBIDDEN: u16 = 3003;
const OWN_FIRST: u16 = 4000;
const OWN_LAST: u16 = 4407;
/// The same two where a server numbers them like the last digits.
const OWN_IDLE: u16 = 4008;
const OWN_FLOOD: u16 = 4029;

/// A connection token and when it was made: between these two.
pub(super) struct Token {
    pub secret: String,
    pub asked_us: u64,
    pub given_us: u64,
}

/// Where and as whom to enter.
pub(super) struct ConnectRequest {
    /// Which of the accounts.
    pub who: usize,
    pub path: String,
    pub credential: Credential,
    pub secret: String,
    /// What the server has set, as it goes back; empty: nothing.
    pub cookies: String,
    pub origin: Option<&'static str>,
    pub receive_buffer_bytes: Option<u32>,
}

impl ConnectRequest {
    pub(super) fn with_token(who: usize, path: &str, secret: &str) -> Self {
        Self {
            who,
            path: path.to_owned(),
            credential: Credential::ConnectionToken,
            secret: secret.to_owned(),
            cookies: String::new(),
            origin: None,
            receive_buffer_bytes: None,
        }
    }
}

/// What came of an attempt to enter.
pub(super) enum ConnectOutcome {
    In(Box<Talk>),
    /// The server closed with this code instead of saying `connected`.
    Out(u16),
    /// The upgrade was answered with this status.
    Status(u16),
    /// The server broke the WebSocket protocol.
    Broke(Failure),
    /// A step of the opening was answered by an `error` event.
    Denied(Failure),
    /// The connection ended without a word.
    Cut,
    /// Nothing, in time.
    Silent,
    /// There was no connection to speak of.
    Unreachable,
}

impl ConnectOutcome {
    /// The server says that this credential opens nothing.
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::Out(code) => {
                matches!(
                    *code,
                    POLICY | UNAUTHORIZED | FORBIDDEN | OWN_FIRST..=OWN_LAST
                ) && !matches!(*code, OWN_IDLE | OWN_FLOOD)
            }
            Self::Status(status) => matches!(*status, 401 | 403),
            Self::Denied(_) => true,
            Self::In(_) | Self::Broke(_) | Self::Cut | Self::Silent | Self::Unreachable => false,
        }
    }

    /// In words.
    pub(super) fn word(&self) -> String {
        match self {
            Self::In(_) => "let in".to_owned(),
            Self::Out(code) => format!("closed with {code}"),
            Self::Status(status) => format!("refused with status {status}"),
            Self::Broke(failure) | Self::Denied(failure) => failure.text(),
            Self::Cut => "cut without a word".to_owned(),
            Self::Silent => "not answered".to_owned(),
            Self::Unreachable => "not reached".to_owned(),
        }
    }
}
