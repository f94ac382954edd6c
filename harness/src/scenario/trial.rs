//! This module holds the `[[trial]]` entries as typed: experiments that are repeated beside the load.
//!
//! **In:** a section of the document. **Out:** [`Trial`]: what is tried, how often, and how often it must
//! have succeeded to say anything.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::{Located, Place, Problems};
use super::section::Section;
use super::value::{self, HOUR, MINUTE, MS, SECOND};
use crate::units;

/// Most trials of one scenario.
pub(super) const TRIALS_MAX: usize = 32;
/// Most experiments of one trial under way at once.
pub(super) const AT_ONCE_MAX: u16 = 1_000;
/// Most sockets that race for one token.
pub(super) const RACERS_MAX: u16 = 64;
/// Most messages of one experiment.
pub(super) const MESSAGES_MAX: u32 = 5_000;
/// Most messages that somebody misses: a history holds a few more (wire contract, "People chats").
const MISSED_MAX: u32 = 900;
/// Most members of one chat (wire contract, "People chats").
pub(super) const MEMBERS_MAX: u16 = 10;
/// The server pings every 25 s without more.
const PING_WITHIN: Duration = Duration::from_secs(30);
const LEAST_MAX: u64 = 10_000_000;
/// What a connection token is good for without more (wire contract, "Defaults").
const TOKEN_TTL: Duration = MINUTE;
/// The same for an access token.
const ACCESS_TTL: Duration = Duration::from_mins(15);

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum TrialKind {
    /// So many sockets race with one token: exactly one gets in.
    TokenRace { racers: u16 },
    /// A token that let somebody in lets nobody in again.
    TokenReuse,
    /// A token whose connect was never answered opens one socket at most, and a fresh one is the way back.
    ReplyLost,
    /// A token of any age around its time to live: good before, not after.
    TokenAge { ttl_us: u64, spread_us: u64 },
    /// Tokens that opened sockets do not stand in the server's log.
    TokenLog,
    /// Who is refused is told why, by a close code or a status.
    Refusal,
    /// A page of another origin gets no socket.
    Origin,
    /// A chat of others stays closed.
    Participation,
    /// Of so many messages at once some are refused.
    Flood { messages: u32 },
    /// Of so many token requests one after the other some are refused.
    TokenHoard { tokens: u32 },
    /// What no client should send is answered with a word.
    Hostile,
    /// A message over the length limit is refused.
    Oversize,
    /// A heartbeat is answered, and is no message.
    Heartbeat,
    /// A message sent again with its id is the same task.
    Retry,
    /// Who holds a socket when the access token ends is warned before, and closed with a code.
    Expiry { ttl_us: u64 },
    /// Who connects as the access token ends is let in or refused, and told so.
    ExpiryRace { ttl_us: u64, spread_us: u64 },
    /// Token request and connect are answered within this, whatever is broken.
    Answers { within_us: u64 },
    /// A silent socket hears a ping of the server within this.
    KeepAlive { within_us: u64 },
    /// Everybody in a chat gets every message that was taken, once, within this.
    Broadcast { members: u16, within_us: u64 },
    /// Who comes back to a chat gets what it missed, and only that.
    Resume { messages: u32 },
    /// Who polls a chat by plain HTTP gets all that is written, and nothing twice.
    Polling { messages: u32 },
    /// An answer can be had again after an absence of this length.
    Comeback { away_us: u64 },
    /// A socket that does not read what it is sent is given up.
    SlowReader { messages: u32 },
}

/// The kinds by name, as a scenario writes them.
pub(crate) const KINDS: [(&str, Kind); 23] = [
    ("token-race", Kind::TokenRace),
    ("token-reuse", Kind::TokenReuse),
    ("reply-lost", Kind::ReplyLost),
    ("token-age", Kind::TokenAge),
    ("token-log", Kind::TokenLog),
    ("refusal", Kind::Refusal),
    ("origin", Kind::Origin),
    ("participation", Kind::Participation),
    ("flood", Kind::Flood),
    ("token-hoard", Kind::TokenHoard),
    ("hostile", Kind::Hostile),
    ("oversize", Kind::Oversize),
    ("heartbeat", Kind::Heartbeat),
    ("retry", Kind::Retry),
    ("expiry", Kind::Expiry),
    ("expiry-race", Kind::ExpiryRace),
    ("answers", Kind::Answers),
    ("keep-alive", Kind::KeepAlive),
    ("broadcast", Kind::Broadcast),
    ("resume", Kind::Resume),
    ("polling", Kind::Polling),
    ("comeback", Kind::Comeback),
    ("slow-reader", Kind::SlowReader),
];

/// A kind without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    TokenRace,
    TokenReuse,
    ReplyLost,
    TokenAge,
    TokenLog,
    Refusal,
    Origin,
    Participation,
    Flood,
    TokenHoard,
    Hostile,
    Oversize,
    Heartbeat,
    Retry,
    Expiry,
    ExpiryRace,
    Answers,
    KeepAlive,
    Broadcast,
    Resume,
    Polling,
    Comeback,
    SlowReader,
}

impl TrialKind {
    /// The kind without its numbers.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::TokenRace { .. } => Kind::TokenRace,
            Self::TokenReuse => Kind::TokenReuse,
            Self::ReplyLost => Kind::ReplyLost,
            Self::TokenAge { .. } => Kind::TokenAge,
            Self::TokenLog => Kind::TokenLog,
            Self::Refusal => Kind::Refusal,
            Self::Origin => Kind::Origin,
            Self::Participation => Kind::Participation,
            Self::Flood { .. } => Kind::Flood,
            Self::TokenHoard { .. } => Kind::TokenHoard,
            Self::Hostile => Kind::Hostile,
            Self::Oversize => Kind::Oversize,
            Self::Heartbeat => Kind::Heartbeat,
            Self::Retry => Kind::Retry,
            Self::Expiry { .. } => Kind::Expiry,
            Self::ExpiryRace { .. } => Kind::ExpiryRace,
            Self::Answers { .. } => Kind::Answers,
            Self::KeepAlive { .. } => Kind::KeepAlive,
            Self::Broadcast { .. } => Kind::Broadcast,
            Self::Resume { .. } => Kind::Resume,
            Self::Polling { .. } => Kind::Polling,
            Self::Comeback { .. } => Kind::Comeback,
            Self::SlowReader { .. } => Kind::SlowReader,
        }
    }

    /// As a scenario writes it.
    pub(crate) fn name(self) -> &'static str {
        value::name_of(&KINDS, self.kind())
    }
}

/// One `[[trial]]`. A part is `None` where it was missing or wrong, which is a problem already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    /// Path of the entry: `trial[0]`.
    pub field: String,
    pub at: Place,
    pub name: Option<Located<String>>,
    pub kind: Option<TrialKind>,
    /// Experiments under way at once, each with an account of its own.
    pub at_once: u16,
    /// Pause between two experiments of one account.
    pub every: Duration,
    /// Experiments with a clear outcome that a run must have to say anything.
    pub least: u64,
}

/// Reads all `[[trial]]` entries.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Vec<Trial> {
    let sections = root.tables(problems, "trial", TRIALS_MAX);
    sections
        .into_iter()
        .map(|section| one(section, problems))
        .collect()
}

fn one(mut section: Section<'_>, problems: &mut Problems) -> Trial {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let hint = format!(
        "write what is tried: kind = \"token-race\"; known: {}",
        names.join(", ")
    );
    let kind = section.require(problems, "kind", &hint, value::choice(&KINDS));
    let kind = kind.map(|kind| numbers(&mut section, kind.value, problems));
    let trial = Trial {
        field: section.path().to_owned(),
        at: section.at.clone(),
        name: section.read(problems, "name", value::plain_name),
        kind,
        at_once: section
            .read_or(problems, "at_once", 1, value::integer(1..=AT_ONCE_MAX))
            .value,
        every: section
            .read_or(problems, "every", 500 * MS, value::duration(MS..=HOUR))
            .value,
        least: section
            .read_or(problems, "least", 1, value::integer(1..=LEAST_MAX))
            .value,
    };
    // Which keys belong here depends on the kind: without one, nothing can be called unknown.
    if trial.kind.is_some() {
        section.finish(problems);
    }
    trial
}

fn numbers(section: &mut Section<'_>, kind: Kind, problems: &mut Problems) -> TrialKind {
    match kind {
        Kind::TokenRace => TrialKind::TokenRace {
            racers: section
                .read_or(problems, "racers", 8, value::integer(2..=RACERS_MAX))
                .value,
        },
        Kind::TokenReuse => TrialKind::TokenReuse,
        Kind::ReplyLost => TrialKind::ReplyLost,
        Kind::TokenAge => TrialKind::TokenAge {
            ttl_us: time(section, problems, "ttl", TOKEN_TTL),
            spread_us: time(section, problems, "spread", 10 * SECOND),
        },
        Kind::TokenLog => TrialKind::TokenLog,
        Kind::Refusal => TrialKind::Refusal,
        Kind::Origin => TrialKind::Origin,
        Kind::Participation => TrialKind::Participation,
        Kind::Flood => TrialKind::Flood {
            messages: messages(section, problems, 100, MESSAGES_MAX),
        },
        Kind::TokenHoard => TrialKind::TokenHoard {
            tokens: number(section, problems, ("tokens", 200), MESSAGES_MAX),
        },
        Kind::Hostile => TrialKind::Hostile,
        Kind::Oversize => TrialKind::Oversize,
        Kind::Heartbeat => TrialKind::Heartbeat,
        Kind::Retry => TrialKind::Retry,
        Kind::Expiry => TrialKind::Expiry {
            ttl_us: time(section, problems, "ttl", ACCESS_TTL),
        },
        Kind::ExpiryRace => TrialKind::ExpiryRace {
            ttl_us: time(section, problems, "ttl", ACCESS_TTL),
            spread_us: time(section, problems, "spread", 20 * MS),
        },
        Kind::Answers => TrialKind::Answers {
            within_us: time(section, problems, "within", 5 * SECOND),
        },
        Kind::KeepAlive => TrialKind::KeepAlive {
            within_us: time(section, problems, "within", PING_WITHIN),
        },
        Kind::Broadcast => TrialKind::Broadcast {
            members: section
                .read_or(problems, "members", 2, value::integer(2..=MEMBERS_MAX))
                .value,
            within_us: time(section, problems, "within", 5 * SECOND),
        },
        Kind::Resume => TrialKind::Resume {
            messages: messages(section, problems, 5, MISSED_MAX),
        },
        Kind::Polling => TrialKind::Polling {
            messages: messages(section, problems, 5, MISSED_MAX),
        },
        Kind::Comeback => TrialKind::Comeback {
            away_us: time(section, problems, "away", 2 * SECOND),
        },
        Kind::SlowReader => TrialKind::SlowReader {
            messages: messages(section, problems, 100, MESSAGES_MAX),
        },
    }
}

fn time(
    section: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    default: Duration,
) -> u64 {
    let read = value::duration(10 * MS..=24 * HOUR);
    units::us(section.read_or(problems, key, default, read).value)
}

fn messages(section: &mut Section<'_>, problems: &mut Problems, default: u32, most: u32) -> u32 {
    number(section, problems, ("messages", default), most)
}

fn number(
    section: &mut Section<'_>,
    problems: &mut Problems,
    (key, default): (&'static str, u32),
    most: u32,
) -> u32 {
    let read = value::integer(2..=most);
    section.read_or(problems, key, default, read).value
}
