//! This module holds the `[load]` table as typed.
//!
//! **In:** a section of the document. **Out:** [`Load`], with the defaults of the wire contract
//! where a key was left out.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cpus::Cpus;
use super::document::{Node, Value};
use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::stages::{self, CLIENTS_MAX, Stage};
use super::value::{self, HOUR, MINUTE, MS, SECOND};

/// Most processes that drive one load.
pub(crate) const SHARDS_MAX: u16 = 1_000;
/// Most addresses that sockets are opened from.
const SOURCES_MAX: usize = 256;
/// Longest path of a file.
const PATH_CHARACTERS_MAX: usize = 2_000;
/// Most characters of a message that the contract allows.
const MESSAGE_CHARACTERS_MAX: u32 = 10_000;

/// What opens the socket (wire contract, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Credential {
    ConnectionToken,
    Cookie,
    QueryToken,
    /// A sub-protocol.
    Bearer,
    /// `Authorization: Bearer`, as programs that are no browser have it.
    Authorization,
    /// The steps of a `[target]` say it, as `{credential}`; neither address nor headers do.
    FirstFrame,
    /// Nobody is asked who they are; with a `[target]` that lets everybody in.
    None,
}

/// Which conversation a client talks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conversation {
    /// One of its own.
    Own,
    /// One that its group shares: each hears what is said to the others.
    Group,
    /// One of its own, in a room that its group shares, as `{group}` in the templates of a mapped server says: they may
    /// hear each other.
    Room,
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

/// When a message that is due is put on its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pacing {
    /// By the rate: exactly, or on a tick where there are many.
    #[default]
    Auto,
    /// At its moment.
    Exact,
    /// With all others of the last half millisecond.
    Tick,
}

/// How a backoff is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Jitter {
    /// Evenly between zero and the backoff.
    Full,
    None,
}

pub(crate) const CREDENTIALS: [(&str, Credential); 7] = [
    ("connection-token", Credential::ConnectionToken),
    ("cookie", Credential::Cookie),
    ("query-token", Credential::QueryToken),
    ("bearer", Credential::Bearer),
    ("authorization", Credential::Authorization),
    ("first-frame", Credential::FirstFrame),
    ("none", Credential::None),
];
pub(crate) const CONVERSATIONS: [(&str, Conversation); 3] = [
    ("own", Conversation::Own),
    ("group", Conversation::Group),
    ("room", Conversation::Room),
];
/// Clients of a group where nobody says how many.
pub(crate) const GROUP: u32 = 10;
pub(crate) const ARRIVALS: [(&str, Arrival); 3] = [
    ("poisson", Arrival::Poisson),
    ("fixed", Arrival::Fixed),
    ("closed", Arrival::Closed),
];
pub(crate) const PACINGS: [(&str, Pacing); 3] = [
    ("auto", Pacing::Auto),
    ("exact", Pacing::Exact),
    ("tick", Pacing::Tick),
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
    pub session: Session,
    pub message: Message,
    pub heartbeat: Duration,
    pub reconnect: Reconnect,
    pub drain: Duration,
    pub lanes: u16,
    /// Processes that drive it; `None`: as many as the file limit asks for.
    pub shards: Option<u16>,
    /// Addresses of this machine that sockets are opened from.
    pub sources: Vec<IpAddr>,
    pub pacing: Pacing,
    /// Processors of the harness itself.
    pub cpus: Option<Cpus>,
    /// What the clients do wrong, on purpose.
    pub defects: Vec<ClientDefect>,
    /// File with what clients write.
    pub payloads: Option<String>,
}

/// What a client can do wrong (wire contract, "Failures", kind C).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientDefect {
    /// It opens a second socket beside each, and forgets it.
    RacingConnects,
    /// It comes back at once after a cut, and at once again.
    NoBackoff,
    /// It comes back after a cut with the token it used before.
    StaleTokenRetry,
}

pub(crate) const CLIENT_DEFECTS: [(&str, ClientDefect); 3] = [
    ("racing-connects", ClientDefect::RacingConnects),
    ("no-backoff", ClientDefect::NoBackoff),
    ("stale-token-retry", ClientDefect::StaleTokenRetry),
];

/// Shares of the behaviours; they need not add up to anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix {
    pub at: Place,
    pub chatter: f64,
    pub lurker: f64,
    pub reconnector: f64,
}

impl Mix {
    /// Whether any share was asked for.
    pub(crate) fn asks(&self) -> bool {
        self.chatter > 0.0 || self.lurker > 0.0 || self.reconnector > 0.0
    }

    /// Whether any client sends messages.
    pub(crate) fn sends(&self) -> bool {
        self.chatter > 0.0 || self.reconnector > 0.0
    }
}

/// `[load] session`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub credential: Credential,
    /// `None`: as the templates of a mapped server say.
    pub conversation: Option<Conversation>,
    /// Clients that are a group.
    pub group: u32,
    pub connect_timeout: Duration,
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
        problems.add(&section.at, "", Complaint::missing("[load]").hint(hint));
    }
    let clients = section.read(problems, "clients", value::integer(1..=CLIENTS_MAX));
    let stages = stages::read(&mut section, problems, clients.as_ref());
    // Where it is unknown how many clients there are, nothing can be said of where the stages lead.
    let stages = stages.filter(|_| clients.is_some() || !section.has("clients"));
    let mix = mix(&mut section, problems);
    let session = session(&mut section, problems);
    let mut reconnector = section.table(problems, "reconnector");
    let length = value::duration(100 * MS..=HOUR);
    let reconnector_every = reconnector.read_or(problems, "every", 10 * SECOND, length);
    let reconnector_at = reconnector.is_present().then(|| reconnector.at.clone());
    reconnector.finish(problems);
    let message = message(&mut section, problems);
    let reconnect = reconnect(&mut section, problems);
    let quiet = value::duration(100 * MS..=HOUR);
    let heartbeat = section.read_or(problems, "heartbeat", 30 * SECOND, quiet);
    let drain = value::duration(100 * MS..=10 * MINUTE);
    let drain = section.read_or(problems, "drain", 10 * SECOND, drain);
    let lanes = section.read_or(problems, "lanes", 1, value::integer(1..=64));
    let shards = section.read(problems, "shards", value::integer(1..=SHARDS_MAX));
    let sources = value::list(SOURCES_MAX, value::source);
    let sources = section.read(problems, "sources", sources);
    let pacing = section.read_or(problems, "pacing", Pacing::Auto, value::choice(&PACINGS));
    let cpus = section.read(problems, "cpus", value::cpus);
    let defects = value::list(CLIENT_DEFECTS.len(), value::choice(&CLIENT_DEFECTS));
    let defects = section.read(problems, "defects", defects);
    let payloads = section.read(problems, "payloads", value::text(PATH_CHARACTERS_MAX));
    let load = Load {
        at: section.at.clone(),
        clients,
        stages,
        mix,
        reconnector_every,
        reconnector_at,
        session,
        message,
        heartbeat: heartbeat.value,
        reconnect,
        drain: drain.value,
        lanes: lanes.value,
        shards: shards.map(|shards| shards.value),
        sources: sources.map_or_else(Vec::new, |sources| sources.value),
        pacing: pacing.value,
        cpus: cpus.map(|cpus| cpus.value),
        defects: defects.map_or_else(Vec::new, |defects| defects.value),
        payloads: payloads.map(|payloads| payloads.value),
    };
    section.finish(problems);
    load
}

fn session(section: &mut Section<'_>, problems: &mut Problems) -> Session {
    let mut table = section.table(problems, "session");
    let credential = value::choice(&CREDENTIALS);
    let credential = table.read_or(
        problems,
        "credential",
        Credential::ConnectionToken,
        credential,
    );
    let conversation = value::choice(&CONVERSATIONS);
    let conversation = table.read(problems, "conversation", conversation);
    let group = table.read_or(problems, "group", GROUP, value::integer(1..=CLIENTS_MAX));
    let timeout = value::duration(100 * MS..=5 * MINUTE);
    let timeout = table.read_or(problems, "connect_timeout", 10 * SECOND, timeout);
    table.finish(problems);
    Session {
        credential: credential.value,
        conversation: conversation.map(|conversation| conversation.value),
        group: group.value,
        connect_timeout: timeout.value,
    }
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
