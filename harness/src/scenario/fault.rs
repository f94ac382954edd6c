//! This module holds the `[[fault]]` entries as typed.
//!
//! **In:** a section of the document. **Out:** [`Fault`]: where it acts, what it does, when. Whether
//! it fits the load and the environment is for the plan to say.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Node;
use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::suggest;
use super::value::{self, HOUR, MINUTE, MS};

/// Most faults of one scenario.
const FAULTS_MAX: usize = 64;
/// Longest name of a fault, in characters.
const NAME_CHARACTERS_MAX: usize = 40;

/// A path on which a fault can act.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Link {
    /// All three databases.
    Redis,
    RedisTokens,
    RedisTasks,
    RedisChannel,
    /// Clients to server.
    Edge,
}

/// The links a scenario can name, as it writes them.
pub(crate) const LINKS: [(&str, Link); 4] = [
    ("redis", Link::Redis),
    ("redis.tokens", Link::RedisTokens),
    ("redis.tasks", Link::RedisTasks),
    ("redis.channel", Link::RedisChannel),
];

impl Link {
    /// As a scenario writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::RedisTokens => "redis.tokens",
            Self::RedisTasks => "redis.tasks",
            Self::RedisChannel => "redis.channel",
            Self::Edge => "edge",
        }
    }

    /// Whether a fault on this link is also felt on `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == other || (self == Self::Redis && other != Self::Edge)
    }
}

/// What a fault does, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Down,
    Latency { latency: Duration, jitter: Duration },
    Timeout { timeout: Duration },
    ResetPeer { timeout: Duration },
    RedisKill,
    RedisPause,
    RedisRestart,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Down,
    Latency,
    Timeout,
    ResetPeer,
    RedisKill,
    RedisPause,
    RedisRestart,
}

const KINDS: [(&str, Kind); 7] = [
    ("down", Kind::Down),
    ("latency", Kind::Latency),
    ("timeout", Kind::Timeout),
    ("reset_peer", Kind::ResetPeer),
    ("redis-kill", Kind::RedisKill),
    ("redis-pause", Kind::RedisPause),
    ("redis-restart", Kind::RedisRestart),
];

/// The kinds of fault, as a scenario writes them.
pub(super) const KIND_NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut index = 0;
    while index < KINDS.len() {
        names[index] = KINDS[index].0;
        index += 1;
    }
    names
};

impl Action {
    /// As a scenario writes the kind.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Latency { .. } => "latency",
            Self::Timeout { .. } => "timeout",
            Self::ResetPeer { .. } => "reset_peer",
            Self::RedisKill => "redis-kill",
            Self::RedisPause => "redis-pause",
            Self::RedisRestart => "redis-restart",
        }
    }
}

/// One `[[fault]]`. A part is `None` where it was missing or wrong, which is a problem already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// Path of the entry: `fault[0]`.
    pub field: String,
    pub at: Place,
    pub name: Option<Located<String>>,
    pub start: Option<Located<Duration>>,
    pub length: Option<Located<Duration>>,
    /// `None` for faults of a process.
    pub link: Option<Located<Link>>,
    pub action: Option<Action>,
}

/// Reads all `[[fault]]` entries.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Vec<Fault> {
    let sections = root.tables(problems, "fault", FAULTS_MAX);
    sections
        .into_iter()
        .map(|section| one(section, problems))
        .collect()
}

fn one(mut section: Section<'_>, problems: &mut Problems) -> Fault {
    let fault_hint = "write when it starts, counted from the start of the load: at = \"20s\"";
    let for_hint = "write how long it lasts: for = \"5s\"";
    let name = section.read(problems, "name", name);
    let start = section.require(
        problems,
        "at",
        fault_hint,
        value::duration(Duration::ZERO..=24 * HOUR),
    );
    let length = section.require(
        problems,
        "for",
        for_hint,
        value::duration(100 * MS..=24 * HOUR),
    );
    let kind_hint = format!(
        "write what goes wrong: kind = \"down\"; known: {}",
        KIND_NAMES.join(", ")
    );
    let kind = section.require(problems, "kind", &kind_hint, value::choice(&KINDS));
    let action = kind
        .as_ref()
        .and_then(|kind| action(&mut section, kind.value, problems));
    let link = link(&mut section, kind.as_ref(), problems);
    let fault = Fault {
        field: section.path().to_owned(),
        at: section.at.clone(),
        name,
        start,
        length,
        link,
        action,
    };
    // Which keys belong here depends on the kind: without one, nothing can be called unknown.
    if kind.is_some() {
        section.finish(problems);
    }
    fault
}

fn action(section: &mut Section<'_>, kind: Kind, problems: &mut Problems) -> Option<Action> {
    let delay = || value::duration(MS..=10 * MINUTE);
    let delay_or_none = || value::duration(Duration::ZERO..=10 * MINUTE);
    Some(match kind {
        Kind::Down => Action::Down,
        Kind::Latency => {
            let hint = "write how much later everything arrives: latency = \"800ms\"";
            let latency = section.require(problems, "latency", hint, delay());
            let jitter = section.read_or(problems, "jitter", Duration::ZERO, delay_or_none());
            let latency = latency?.value;
            if jitter.value > latency {
                let complaint = Complaint::new("larger than the latency it varies")
                    .hint("nothing can arrive before it was sent: keep jitter at or below latency");
                problems.add(&jitter.at, section.field("jitter"), complaint);
                return None;
            }
            Action::Latency {
                latency,
                jitter: jitter.value,
            }
        }
        Kind::Timeout => {
            let timeout = section.read_or(problems, "timeout", Duration::ZERO, delay_or_none());
            Action::Timeout {
                timeout: timeout.value,
            }
        }
        Kind::ResetPeer => {
            let timeout = section.read_or(problems, "timeout", Duration::ZERO, delay_or_none());
            Action::ResetPeer {
                timeout: timeout.value,
            }
        }
        Kind::RedisKill => Action::RedisKill,
        Kind::RedisPause => Action::RedisPause,
        Kind::RedisRestart => Action::RedisRestart,
    })
}

fn link(
    section: &mut Section<'_>,
    kind: Option<&Located<Kind>>,
    problems: &mut Problems,
) -> Option<Located<Link>> {
    let names: Vec<&str> = LINKS.iter().map(|(name, _)| *name).collect();
    let on_process = kind.is_some_and(|kind| {
        matches!(
            kind.value,
            Kind::RedisKill | Kind::RedisPause | Kind::RedisRestart
        )
    });
    if on_process {
        if let Some(node) = section.node("link") {
            let complaint = Complaint::new("this kind acts on the Redis process, not on a link")
                .hint("leave `link` out");
            problems.add(&node.at, section.field("link"), complaint);
        }
        return None;
    }
    if kind.is_none() {
        return section.read(problems, "link", value::choice(&LINKS));
    }
    let hint = format!(
        "write where it acts: link = \"redis\"; known: {}",
        names.join(", ")
    );
    section.require(problems, "link", &hint, value::choice(&LINKS))
}

/// A name that can stand in `when = "during NAME"`, in file names and in metric labels.
fn name(node: &Node) -> Result<String, Complaint> {
    let name = value::text(NAME_CHARACTERS_MAX)(node)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.chars().all(allowed) {
        Ok(name)
    } else {
        let complaint = Complaint::new(format!("expected a plain name, found \"{name}\""));
        Err(complaint.hint("use small letters, digits and `-`, such as \"redis-down\""))
    }
}

/// A hint for a name that no fault of the scenario bears.
pub(crate) fn unknown_name_hint(typed: &str, names: &[&str]) -> String {
    if names.is_empty() {
        "the scenario has no [[fault]]".to_owned()
    } else {
        suggest::hint(typed, names)
    }
}
