//! This module holds the `[load]` table as typed.
//!
//! **In:** a section of the document. **Out:** [`Load`], with the defaults of the wire contract
//! where a key was left out.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{Node, Value};
use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::value::{self, HOUR, MINUTE, MS, SECOND};

/// Most clients of one run.
pub(crate) const CLIENTS_MAX: u32 = 100_000;
/// Most stages of one run.
const STAGES_MAX: usize = 100;
/// Most characters of a message that the contract allows.
const MESSAGE_CHARACTERS_MAX: u32 = 10_000;

/// What opens the socket (wire contract, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Credential {
    ConnectionToken,
    Cookie,
    QueryToken,
    Bearer,
}

/// Which conversation a client talks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conversation {
    /// One of its own.
    Own,
}

/// The law of intended send times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrival {
    /// Open model: exponential gaps.
    Poisson,
    /// Open model: even gaps from a random first offset.
    Fixed,
    /// Closed model: the next message `every_us` after the last answer. Labelled in every report.
    Closed,
}

/// How a backoff is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Jitter {
    /// Evenly between zero and the backoff.
    Full,
    None,
}

pub(crate) const CREDENTIALS: [(&str, Credential); 4] = [
    ("connection-token", Credential::ConnectionToken),
    ("cookie", Credential::Cookie),
    ("query-token", Credential::QueryToken),
    ("bearer", Credential::Bearer),
];
pub(crate) const CONVERSATIONS: [(&str, Conversation); 1] = [("own", Conversation::Own)];
pub(crate) const ARRIVALS: [(&str, Arrival); 3] = [
    ("poisson", Arrival::Poisson),
    ("fixed", Arrival::Fixed),
    ("closed", Arrival::Closed),
];
pub(crate) const JITTERS: [(&str, Jitter); 2] = [("full", Jitter::Full), ("none", Jitter::None)];

/// `[load]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Load {
    pub at: Place,
    pub clients: Option<Located<u32>>,
    /// `None` where a stage could not be read.
    pub stages: Option<Vec<Stage>>,
    pub mix: Mix,
    pub reconnector_every: Located<Duration>,
    /// Whether `[load.reconnector]` was written.
    pub reconnector_at: Option<Place>,
    pub credential: Credential,
    pub conversation: Conversation,
    pub connect_timeout: Duration,
    pub message: Message,
    pub heartbeat: Duration,
    pub reconnect: Reconnect,
    pub drain: Duration,
    pub lanes: u16,
}

/// One entry of `stages`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub at: Place,
    pub field: String,
    pub shape: Shape,
}

/// A stretch of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `to` is `None` where it was left out: all clients.
    Ramp {
        length: Duration,
        to: Option<u32>,
    },
    Hold {
        length: Duration,
    },
}

/// Shares of the behaviours; they need not add up to anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix {
    pub at: Place,
    pub chatter: f64,
    pub lurker: f64,
    pub reconnector: f64,
}

/// `[load] message`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub every: Duration,
    pub arrival: Arrival,
    pub chunks: u16,
    pub length_min: u32,
    pub length_max: u32,
    pub retries: u16,
    /// Where it was written, if it was.
    pub at: Option<Place>,
}

/// `[load] reconnect`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reconnect {
    pub first: Located<Duration>,
    pub factor: f64,
    pub cap: Located<Duration>,
    pub jitter: Jitter,
    pub attempts: u16,
}

/// Reads `[load]`.
pub(super) fn read(root: &mut Section<'_>, problems: &mut Problems) -> Load {
    let mut section = root.table(problems, "load");
    if !section.is_present() {
        let hint = "write [load] with clients = 50 and hold = \"15s\"";
        problems.add(
            &section.at,
            "",
            Complaint::new("`[load]` is missing").hint(hint),
        );
    }
    let clients = section.read(problems, "clients", value::integer(1..=CLIENTS_MAX));
    let stages = stages(&mut section, problems, clients.as_ref());
    let mix = mix(&mut section, problems);
    let mut session = section.table(problems, "session");
    let credential = session.read_or(
        problems,
        "credential",
        Credential::ConnectionToken,
        value::choice(&CREDENTIALS),
    );
    let conversation = session.read_or(
        problems,
        "conversation",
        Conversation::Own,
        value::choice(&CONVERSATIONS),
    );
    let connect_timeout = session.read_or(
        problems,
        "connect_timeout",
        10 * SECOND,
        value::duration(100 * MS..=5 * MINUTE),
    );
    session.finish(problems);
    let mut reconnector = section.table(problems, "reconnector");
    let reconnector_every = reconnector.read_or(
        problems,
        "every",
        10 * SECOND,
        value::duration(100 * MS..=HOUR),
    );
    let reconnector_at = reconnector.is_present().then(|| reconnector.at.clone());
    reconnector.finish(problems);
    let load = Load {
        at: section.at.clone(),
        clients,
        stages,
        mix,
        reconnector_every,
        reconnector_at,
        credential: credential.value,
        conversation: conversation.value,
        connect_timeout: connect_timeout.value,
        message: message(&mut section, problems),
        heartbeat: section
            .read_or(
                problems,
                "heartbeat",
                30 * SECOND,
                value::duration(100 * MS..=HOUR),
            )
            .value,
        reconnect: reconnect(&mut section, problems),
        drain: section
            .read_or(
                problems,
                "drain",
                10 * SECOND,
                value::duration(100 * MS..=10 * MINUTE),
            )
            .value,
        lanes: section
            .read_or(problems, "lanes", 1, value::integer(1..=64))
            .value,
    };
    section.finish(problems);
    load
}

fn stages(
    section: &mut Section<'_>,
    problems: &mut Problems,
    clients: Option<&Located<u32>>,
) -> Option<Vec<Stage>> {
    let length = || value::duration(Duration::ZERO..=24 * HOUR);
    let listed = section.has("stages");
    if listed {
        for key in ["ramp", "hold"] {
            if let Some(node) = section.node(key) {
                let complaint = Complaint::new("stands beside `stages`")
                    .hint("keep either `stages`, or `ramp` and `hold` as their short form");
                problems.add(&node.at, section.field(key), complaint);
            }
        }
        let entries = section.tables(problems, "stages", STAGES_MAX);
        if entries.is_empty() {
            let complaint = Complaint::new("must not be empty").hint(STAGES_HINT);
            problems.add(&section.at, section.field("stages"), complaint);
            return None;
        }
        let read: Vec<Option<Stage>> = entries
            .into_iter()
            .map(|entry| stage(entry, problems))
            .collect();
        return read.into_iter().collect();
    }
    section.node("stages");
    let ramp = section.read(problems, "ramp", length());
    let hold = section.require(problems, "hold", STAGES_HINT, length())?;
    if clients.is_none() && !section.has("clients") {
        let complaint =
            Complaint::new("`clients` is missing").hint("write how many: clients = 200");
        problems.add(&section.at, "load", complaint);
        return None;
    }
    let clients = clients?;
    let ramp =
        ramp.unwrap_or_else(|| Located::new(default_ramp(clients.value), clients.at.clone()));
    let stage = |key: &str, at: Place, shape| Stage {
        at,
        field: section.field(key),
        shape,
    };
    Some(vec![
        stage(
            "ramp",
            ramp.at,
            Shape::Ramp {
                length: ramp.value,
                to: None,
            },
        ),
        stage("hold", hold.at, Shape::Hold { length: hold.value }),
    ])
}

const STAGES_HINT: &str =
    "write hold = \"40s\", or stages = [ { ramp = \"10s\", to = 200 }, { hold = \"40s\" } ]";

/// 200 clients a second, and at least a second.
fn default_ramp(clients: u32) -> Duration {
    Duration::from_secs(u64::from(clients.div_ceil(200).max(1)))
}

fn stage(mut entry: Section<'_>, problems: &mut Problems) -> Option<Stage> {
    let length = || value::duration(Duration::ZERO..=24 * HOUR);
    let ramp = entry.read(problems, "ramp", length());
    let hold = entry.read(problems, "hold", length());
    let to = entry.read(problems, "to", value::integer(0..=CLIENTS_MAX));
    let complete = !entry.has("to") || to.is_some();
    let (at, field) = (entry.at.clone(), entry.path().to_owned());
    let mut wrong = |fact: &str| {
        let hint = "a stage is { ramp = \"10s\", to = 200 } or { hold = \"40s\" }";
        problems.add(&at, field.clone(), Complaint::new(fact).hint(hint));
    };
    if entry.has("ramp") == entry.has("hold") && entry.is_present() {
        wrong(if ramp.is_some() {
            "both a ramp and a hold"
        } else {
            "neither a ramp nor a hold"
        });
    } else if hold.is_some() && entry.has("to") {
        wrong("a hold keeps the clients there are, it leads `to` nothing");
    }
    let shape = match (ramp, hold) {
        (Some(ramp), None) => Some(Shape::Ramp {
            length: ramp.value,
            to: to.map(|to| to.value),
        }),
        (None, Some(hold)) => Some(Shape::Hold { length: hold.value }),
        _ => None,
    };
    entry.finish(problems);
    shape
        .filter(|_| complete)
        .map(|shape| Stage { at, field, shape })
}

fn mix(section: &mut Section<'_>, problems: &mut Problems) -> Mix {
    let mut table = section.table(problems, "mix");
    let share = || value::number(0.0..=1e9);
    let default = if table.is_present() { 0.0 } else { 1.0 };
    let mix = Mix {
        at: table.at.clone(),
        chatter: table.read_or(problems, "chatter", default, share()).value,
        lurker: table.read_or(problems, "lurker", 0.0, share()).value,
        reconnector: table.read_or(problems, "reconnector", 0.0, share()).value,
    };
    table.finish(problems);
    mix
}

fn message(section: &mut Section<'_>, problems: &mut Problems) -> Message {
    let mut table = section.table(problems, "message");
    let (length_min, length_max) = table
        .read(problems, "length", length)
        .map_or((20, 120), |range| range.value);
    let message = Message {
        every: table
            .read_or(
                problems,
                "every",
                5 * SECOND,
                value::duration(MS..=24 * HOUR),
            )
            .value,
        arrival: table
            .read_or(
                problems,
                "arrival",
                Arrival::Poisson,
                value::choice(&ARRIVALS),
            )
            .value,
        chunks: table
            .read_or(problems, "chunks", 3, value::integer(1..=1000))
            .value,
        length_min,
        length_max,
        retries: table
            .read_or(problems, "retries", 5, value::integer(0..=100))
            .value,
        at: table.is_present().then(|| table.at.clone()),
    };
    table.finish(problems);
    message
}

/// `60`, or `[20, 120]` for lengths drawn evenly from that range.
fn length(node: &Node) -> Result<(u32, u32), Complaint> {
    let bounds = || value::integer(1..=MESSAGE_CHARACTERS_MAX);
    let Value::List(items) = &node.value else {
        return bounds()(node).map(|length| (length, length));
    };
    let [least, most] = items.as_slice() else {
        let fact = format!("expected two lengths, found {}", items.len());
        return Err(Complaint::new(fact).hint("write 60, or [20, 120] for a range"));
    };
    let (least, most) = (bounds()(least)?, bounds()(most)?);
    if least > most {
        let fact = format!("the range is empty: {least} is more than {most}");
        return Err(Complaint::new(fact).hint(format!("write [{most}, {least}]")));
    }
    Ok((least, most))
}

fn reconnect(section: &mut Section<'_>, problems: &mut Problems) -> Reconnect {
    let mut table = section.table(problems, "reconnect");
    let backoff = || value::duration(MS..=HOUR);
    let reconnect = Reconnect {
        first: table.read_or(problems, "first", SECOND, backoff()),
        factor: table
            .read_or(problems, "factor", 2.0, value::number(1.0..=100.0))
            .value,
        cap: table.read_or(problems, "cap", 30 * SECOND, backoff()),
        jitter: table
            .read_or(problems, "jitter", Jitter::Full, value::choice(&JITTERS))
            .value,
        attempts: table
            .read_or(problems, "attempts", 5, value::integer(0..=1000))
            .value,
    };
    table.finish(problems);
    reconnect
}
