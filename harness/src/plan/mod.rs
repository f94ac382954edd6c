//! This module holds what will happen in a run, fully resolved.
//!
//! **In:** a checked scenario. **Out:** [`Plan`]: every default filled in, every time absolute.
//! Pure: no I/O, no clock. The same scenario and seed give the same plan, byte for byte, and the
//! same intended send times.
//!
//! **Units:** `*_us` are microseconds; `at_us` and `start_us` count from load start.

pub(crate) mod arrivals;
mod builtin;
pub(crate) mod bundle;
mod columns;
mod compile;
mod copies;
mod criteria;
mod cut;
mod dialect;
pub(crate) mod estimate;
mod fault;
mod hash;
pub(crate) mod outlook;
mod pace;
mod pacing;
mod part;
pub(crate) mod print;
mod samples;
pub(crate) mod seed;
mod shape;
#[cfg(test)]
mod tests;
mod timeline;
mod trial;
mod via;
pub(crate) mod visit;

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use builtin::{ANSWERED_RATIO_MIN, BuiltIn, is_broad};
pub(crate) use compile::compile;
pub(crate) use cut::Cut;
pub(crate) use fault::{Damage, PlannedFault};
pub(crate) use hash::{hash, sha256};
pub(crate) use pacing::tick_us;
pub(crate) use print::to_toml;
pub(crate) use trial::{CREW_SIZE, TrialPlan};

pub(crate) use self::copies::{Copies, copies, has_rooms, says_heard};
use crate::scenario::cpus::Cpus;
use crate::scenario::expectation::{AbortRule, Expectation};
pub(crate) use crate::scenario::fault::{
    FaultKind, Link, Mechanism, ProcessAction, Reach, STREAMS, Sign, Streams,
};
use crate::scenario::load::GROUP;
pub(crate) use crate::scenario::load::{
    Arrival, ClientDefect, Conversation, Credential, Jitter, Pacing,
};
pub(crate) use crate::scenario::target::{
    CREDENTIAL, Dialect, Encoding, EventName, EventNames, FrameMatch, Framing, IdKind,
    MESSAGE_BYTES_MAX, Matching, OpeningStep, PLACE, PLACE_CHARS_MAX, READYZ, Wanted, asks_token,
    places,
};
pub(crate) use crate::scenario::trial::{Promise, TokenAge, TrialKind};

/// A run, before it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Plan {
    /// Short name, also used in run ids and file names: `redis-outage`.
    pub title: String,
    /// The question the scenario asks: the comment at its head.
    pub question: String,
    /// Path of the scenario as given on the command line.
    pub scenario: String,
    pub seed: u64,
    /// Length of one recorder interval: 250 ms, more for runs over 20 min (bounded memory).
    pub interval_us: u64,
    pub environment: EnvironmentPlan,
    pub load: LoadPlan,
    /// Events in order of time, then conditions.
    pub faults: Vec<PlannedFault>,
    /// Experiments beside the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialPlan>,
    pub expect: Vec<Expectation>,
    pub abort_when: Vec<AbortRule>,
}

/// What is started, or attached to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EnvironmentPlan {
    /// `None`: the harness starts the reference server. `Some`: the base URL to attach to
    /// (`ws://`, `wss://`, `http://` or `https://`, host and port).
    pub target: Option<String>,
    /// Addresses of hosts in place of what a resolver says, as `HOST:PORT:ADDRESS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolve: Vec<String>,
    /// The HTTP proxy on the way to the target: `http://[user:${env:NAME}@]host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Whose certificates are believed where the target speaks TLS.
    #[serde(default, skip_serializing_if = "TlsPlan::is_usual")]
    pub tls: TlsPlan,
    pub server: ServerPlan,
    pub redis: RedisPlan,
    /// The links that run through the fault proxy.
    pub proxies: Vec<Link>,
    /// Links that a proxy of the Toxiproxy carries already, with its name there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<Link, String>,
    /// Processes that carry the edge link; `None` for as many as the file limit asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge_processes: Option<u16>,
    /// Base URL of a Toxiproxy to use in place of the embedded fault proxy.
    pub toxiproxy: Option<String>,
    /// How clients log in.
    pub users: UsersPlan,
    /// How the target is spoken to; `None`: by the wire contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Box<Dialect>>,
}

/// Whom to believe, and what to show of oneself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TlsPlan {
    /// PEM file with certificates to believe beside those of the system.
    pub ca: Option<String>,
    /// Every certificate is believed.
    #[serde(default)]
    pub insecure: bool,
    /// PEM file with the certificate of the clients; there is a key, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// PEM file with its key, without a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl TlsPlan {
    /// What the system believes, and no more.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// How the reference server is started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ServerPlan {
    /// Servers on one Redis; clients are spread over them.
    pub instances: u16,
    /// No more of them, whatever the limit of open files asks for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// Processors of what the run starts; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// `complete-missing`, `chunk-reorder=0.1`: as `--defect` takes them.
    pub defects: Vec<String>,
    /// Further settings, as the server's flags without the dashes: `ping-interval` → `25s`.
    pub settings: BTreeMap<String, String>,
}

/// Which Redis the run uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum RedisPlan {
    /// A `redis-server` child of our own: free port, random password; append-only file on where a
    /// fault of the plan kills or restarts it.
    Private,
    /// A running one; the URL may name a secret as `${env:NAME}`.
    Url { url: String },
    /// The target manages its own.
    None,
}

/// Accounts the clients use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UsersPlan {
    /// `user-%06d`, numbered from 1: client *n* logs in as number *n* + 1.
    pub prefix: String,
    /// `None`: random, given to the managed server. `${env:NAME}` is resolved at start.
    pub password: Option<String>,
    /// CSV file with accounts, in place of numbered ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Columns of that file that fill places of templates, in the order of the alphabet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// The load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LoadPlan {
    /// Most clients at once.
    pub clients: u32,
    /// In order, without gaps; the first starts at 0.
    pub stages: Vec<LoadStage>,
    /// What the scenario calls them, by their place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stage_names: BTreeMap<u32, String>,
    /// How many clients of each behaviour; sums to `clients`.
    pub mix: Vec<BehaviorShare>,
    pub session: SessionPlan,
    pub message: MessagePlan,
    pub heartbeat_us: u64,
    pub reconnect: ReconnectPlan,
    /// How long after the last send an answer may still arrive.
    pub drain_us: u64,
    /// Threads that run sessions; 1 unless a lane would be over half busy.
    pub lanes: u16,
    /// Processes that drive it, each a part of its clients; `None`: as many as the file limit asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<u16>,
    /// Addresses of this machine that sockets are opened from, in turn; empty: the system's choice, and on loopback as
    /// many as the ports ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<IpAddr>,
    /// When a message that is due is sent.
    #[serde(default, skip_serializing_if = "is_auto")]
    pub pacing: Pacing,
    /// Processors of the harness itself; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// What the clients do wrong, on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<ClientDefect>,
    /// File with what clients write, one text a line, in place of filler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payloads: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_auto(one: &Pacing) -> bool {
    *one == Pacing::Auto
}

/// One stretch of the load: the number of clients goes from `from` to `to` evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LoadStage {
    pub start_us: u64,
    pub length_us: u64,
    pub from: u32,
    pub to: u32,
}

/// How many clients behave in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BehaviorShare {
    pub behavior: Behavior,
    pub clients: u32,
}

/// What a client does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Behavior {
    /// Sends messages on a schedule and waits for the answers.
    Chatter,
    /// Connects and stays, heartbeats only.
    Lurker,
    /// A chatter that ends its session after about `every_us` (uniform in half to one and a half
    /// times that) and comes back with a new token, all the time.
    Reconnector { every_us: u64 },
}

impl Behavior {
    /// Whether such a client sends messages at all.
    pub(crate) const fn sends(self) -> bool {
        match self {
            Self::Chatter | Self::Reconnector { .. } => true,
            Self::Lurker => false,
        }
    }
}

/// How a session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SessionPlan {
    pub credential: Credential,
    pub conversation: Conversation,
    /// Clients that are a group: `{group}` is a client's number divided by it.
    #[serde(default = "group", skip_serializing_if = "is_usual_group")]
    pub group: u32,
    /// Token, TCP, upgrade and `connected`, together.
    pub connect_timeout_us: u64,
}

const fn group() -> u32 {
    GROUP
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_usual_group(group: &u32) -> bool {
    *group == GROUP
}

/// What is sent, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MessagePlan {
    /// Mean time between two intended sends of one client.
    pub every_us: u64,
    pub arrival: Arrival,
    /// Chunks per answer, asked of the managed server.
    pub chunks: u16,
    /// Length of the text in characters, drawn evenly from this range.
    pub length_min: u32,
    pub length_max: u32,
    /// Further attempts with the same id after `unavailable`, `rate_limited` or a lost socket.
    pub retries: u16,
}

/// What a client does after an abnormal close: exponential backoff.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReconnectPlan {
    pub first_us: u64,
    pub factor: f64,
    pub cap_us: u64,
    pub jitter: Jitter,
    /// Attempts after one close before the client gives up and counts as failed.
    pub attempts: u16,
}

impl LoadPlan {
    /// Whether the clients do that wrong.
    pub(crate) fn has(&self, defect: ClientDefect) -> bool {
        self.defects.contains(&defect)
    }

    /// When the last answer may arrive: one drain for the last message to be acknowledged, one for its answer.
    pub(crate) fn end_us(&self) -> u64 {
        self.load_us().saturating_add(self.patience_us())
    }

    /// For how long after its last message a client may wait for answers.
    pub(crate) const fn patience_us(&self) -> u64 {
        self.drain_us.saturating_mul(2)
    }

    /// Length of all stages: sends are intended in `0..load_us`.
    pub(crate) fn load_us(&self) -> u64 {
        self.stages.iter().map(|stage| stage.length_us).sum()
    }

    /// End of the last stage in which clients are added; 0 without one.
    pub(crate) fn ramp_end_us(&self) -> u64 {
        let ramps = self.stages.iter().filter(|stage| stage.to > stage.from);
        ramps
            .map(|stage| stage.start_us + stage.length_us)
            .max()
            .unwrap_or(0)
    }
}
