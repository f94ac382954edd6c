//! This module holds the `[[fault]]` entries as typed.
//!
//! **In:** a section of the document. **Out:** [`Fault`]: where it acts, what it does, when, on how
//! much. Whether it fits the load and the environment is for the plan to say.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Node;
use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::suggest;
use super::value::{self, HOUR, MS};

mod action;

pub(crate) use action::Action;
use action::{KINDS, Kind, Reach};

/// Most faults of one scenario.
const FAULTS_MAX: usize = 64;

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
pub(crate) const LINKS: [(&str, Link); 5] = [
    ("redis", Link::Redis),
    ("redis.tokens", Link::RedisTokens),
    ("redis.tasks", Link::RedisTasks),
    ("redis.channel", Link::RedisChannel),
    ("edge", Link::Edge),
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

    /// The links it stands for: all three databases spelt out, else itself.
    pub(crate) const fn singles(self) -> &'static [Self] {
        match self {
            Self::Redis => &[Self::RedisTokens, Self::RedisTasks, Self::RedisChannel],
            Self::RedisTokens => &[Self::RedisTokens],
            Self::RedisTasks => &[Self::RedisTasks],
            Self::RedisChannel => &[Self::RedisChannel],
            Self::Edge => &[Self::Edge],
        }
    }

    /// Whether a fault on this link is also felt on `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == other || (self == Self::Redis && other != Self::Edge)
    }
}

/// The bytes a fault acts on, seen from the client of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Streams {
    /// What the client of the link sends.
    Upstream,
    /// What it receives.
    Downstream,
    Both,
}

/// The directions, as a scenario writes them.
pub(crate) const STREAMS: [(&str, Streams); 3] = [
    ("upstream", Streams::Upstream),
    ("downstream", Streams::Downstream),
    ("both", Streams::Both),
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

/// One `[[fault]]`. A part is `None` where it was missing or wrong, which is a problem already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// Path of the entry: `fault[0]`.
    pub field: String,
    pub at: Place,
    pub name: Option<Located<String>>,
    pub start: Option<Located<Duration>>,
    pub length: Length,
    /// `None` for faults of a process.
    pub link: Option<Located<Link>>,
    /// As a scenario writes the kind.
    pub kind: Option<&'static str>,
    pub action: Option<Action>,
    pub streams: Streams,
    /// Share of the connections that are affected: above 0, at most 1.
    pub toxicity_ratio: f64,
}

/// How long a fault lasts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Length {
    For(Located<Duration>),
    /// It acts at one moment.
    Moment,
    /// To the end of the load: a condition of the run, not an event in it.
    Condition,
    /// Missing or wrong, which is a problem already.
    Unknown,
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
    let name = section.read(problems, "name", value::plain_name);
    let start = section.require(
        problems,
        "at",
        fault_hint,
        value::duration(Duration::ZERO..=24 * HOUR),
    );
    let kind_hint = format!(
        "write what goes wrong: kind = \"down\"; known: {}",
        KIND_NAMES.join(", ")
    );
    let kind = section.require(problems, "kind", &kind_hint, value::choice(&KINDS));
    let kind = kind.map(|kind| kind.value);
    let length = length(&mut section, kind, problems);
    let action = kind.and_then(|kind| action::read(&mut section, kind, problems));
    let streams = streams(&mut section, kind, problems);
    let toxicity_ratio = toxicity(&mut section, kind, problems);
    let link = link(&mut section, kind, problems);
    let fault = Fault {
        field: section.path().to_owned(),
        at: section.at.clone(),
        name,
        start,
        length,
        link,
        kind: kind.map(|kind| value::name_of(&KINDS, kind)),
        action,
        streams,
        toxicity_ratio,
    };
    // Which keys belong here depends on the kind: without one, nothing can be called unknown.
    if kind.is_some() {
        section.finish(problems);
    }
    fault
}

fn length(section: &mut Section<'_>, kind: Option<Kind>, problems: &mut Problems) -> Length {
    let read = value::duration(100 * MS..=24 * HOUR);
    if kind.is_some_and(Kind::is_moment) {
        if let Some(node) = section.node("for") {
            let complaint = Complaint::new("this kind acts at one moment and lasts no time")
                .hint("leave `for` out");
            problems.add(&node.at, section.field("for"), complaint);
        }
        return Length::Moment;
    }
    if kind.is_some_and(Kind::may_last) && !section.has("for") {
        return Length::Condition;
    }
    let hint = "write how long it lasts: for = \"5s\"";
    match section.require(problems, "for", hint, read) {
        Some(length) => Length::For(length),
        None => Length::Unknown,
    }
}

fn streams(section: &mut Section<'_>, kind: Option<Kind>, problems: &mut Problems) -> Streams {
    let usual = if kind == Some(Kind::Timeout) {
        Streams::Both
    } else {
        Streams::Downstream
    };
    // Elsewhere the key is unknown, and is called so.
    if kind.is_none_or(|kind| kind.reach() == Reach::Bytes) {
        let read = value::choice(&STREAMS);
        return section.read_or(problems, "stream", usual, read).value;
    }
    usual
}

fn toxicity(section: &mut Section<'_>, kind: Option<Kind>, problems: &mut Problems) -> f64 {
    let read = |node: &Node| {
        let share = value::number(0.0..=1.0)(node)?;
        if share > 0.0 {
            return Ok(share);
        }
        Err(Complaint::new("a fault that affects no connection is none")
            .hint("write the share of the connections it affects, such as toxicity = 0.1"))
    };
    if kind.is_none_or(|kind| matches!(kind.reach(), Reach::Bytes | Reach::Connections)) {
        return section.read_or(problems, "toxicity", 1.0, read).value;
    }
    1.0
}

fn link(
    section: &mut Section<'_>,
    kind: Option<Kind>,
    problems: &mut Problems,
) -> Option<Located<Link>> {
    let names: Vec<&str> = LINKS.iter().map(|(name, _)| *name).collect();
    if kind.is_some_and(|kind| kind.reach() == Reach::Process) {
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

/// A hint for a name that no fault of the scenario bears.
pub(crate) fn unknown_name_hint(typed: &str, names: &[&str]) -> String {
    if names.is_empty() {
        "the scenario has no [[fault]]".to_owned()
    } else {
        suggest::hint(typed, names)
    }
}
