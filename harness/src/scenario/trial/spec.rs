//! What is known of a kind of trial before it runs.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::known::Known;
use crate::scenario::keys::Keys;
use crate::scenario::value::MINUTE;

/// Most sockets that race for one token.
pub(super) const RACERS_MAX: u16 = 64;
/// Most messages of one experiment.
pub(super) const MESSAGES_MAX: u32 = 5_000;
/// Most messages that somebody misses: a history holds a few more (wire contract, "People chats").
pub(super) const MISSED_MAX: u32 = 900;
/// Most members of one chat (wire contract, "People chats").
pub(super) const MEMBERS_MAX: u16 = 10;
/// What a connection token is good for without more (wire contract, "Defaults").
pub(super) const TOKEN_TTL: Duration = MINUTE;
/// The same for an access token.
pub(super) const ACCESS_TTL: Duration = Duration::from_mins(15);
/// What a duration of a trial may be.
pub(super) const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_hours(24);

/// A situation without which a promise was not put to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    OldTokens,
    EndedMidway,
    UnderFault,
    AfterFault,
}

impl Situation {
    /// What is counted of it.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::OldTokens => "tokens presented at twice their life",
            Self::EndedMidway => "access tokens that ended while a socket was asked for",
            Self::UnderFault => "experiments while a fault was in force",
            Self::AfterFault => "messages heard by all on sockets older than a fault",
        }
    }

    /// Whether a run without faults puts the promise to the test as well.
    pub(crate) const fn is_of_faults(self) -> bool {
        match self {
            Self::UnderFault | Self::AfterFault => true,
            Self::OldTokens | Self::EndedMidway => false,
        }
    }
}

/// What a server has to keep, and the known failure that breaks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub text: &'static str,
    pub known: Known,
    /// Where it is put to the test, if not in every experiment.
    pub situation: Option<Situation>,
}

impl Promise {
    pub(super) const fn new(text: &'static str, known: Known) -> Self {
        Self {
            text,
            known,
            situation: None,
        }
    }

    pub(super) const fn in_situation(self, situation: Situation) -> Self {
        Self {
            situation: Some(situation),
            ..self
        }
    }
}

/// What a scenario must have for a trial to be possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A server that speaks the frames of the wire contract.
    Contract,
    /// Refusals that can be told from answers.
    Refusals,
    /// Messages that are acknowledged with the task that answers them.
    Tasks,
    /// Sockets opened by connection tokens.
    ConnectionTokens,
    /// Sockets that take a credential.
    Credential,
    /// A heartbeat and its answer.
    Heartbeat,
    /// No header that names an origin.
    FreeOrigin,
    /// The log of a server that the run starts.
    ServerLog,
    /// Chats of several accounts who hear each other; by the contract ten each, known by their numbers.
    PeopleChat,
}

/// A kind of trial: all that is known of it before it runs.
pub(super) trait Spec: Keys {
    /// As a scenario writes it.
    const NAME: &str;
    const PROMISES: &[Promise];
    const NEEDS: &[Need] = &[];

    /// How long one experiment waits at least, in microseconds.
    fn waits_us(&self) -> u64 {
        0
    }

    /// How long one experiment may take beside what all may take, in microseconds.
    fn longest_us(&self) -> u64 {
        self.waits_us()
    }
}
