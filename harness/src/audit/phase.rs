//! This module makes the runs of an audit out of a plan.
//!
//! **In:** a plan. **Out:** [`Composed`]: for each phase a scenario that a run can be made of, and the failures that it cannot
//! test, with the reason.
//!
//! What the plan says of environment, target and sessions stays; load, faults and trials are the phase's own. At a target
//! a trial that the plan has itself keeps its numbers: how long a token lives there is known to whoever wrote it. What does not
//! go with the plan is found out by compiling it: the reason is the complaint.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::tables::{entries, laid, push};
use crate::known::Known;
use crate::plan::{self, Credential, Dialect, Matching, Plan, TrialKind};
use crate::scenario::Overrides;

/// How long the phases wait for an answer: an outage and what it takes to come back.
const DRAIN_US: u64 = 15_000_000;

/// Characters of a message, and messages of one client at once, that a chat of no make should take.
const CHARACTERS_BEYOND: i64 = 200_000;
const MESSAGES_BEYOND: i64 = 500;

/// Where a phase can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Wherever it compiles.
    Anywhere,
    /// Where the run starts the server itself, with settings of the phase; why not elsewhere.
    Own(&'static str),
    /// Where the server's settings are its own.
    Attached,
}

/// One run of an audit.
#[derive(Debug)]
struct Phase {
    name: &'static str,
    text: &'static str,
    place: Place,
    /// What it puts to the test. Another failure that it shows by chance counts too; that it does not show it does not.
    tests: &'static [Known],
}

/// Names of the phases, in their order.
pub(crate) const NAMES: [&str; 7] = {
    let mut names = [""; 7];
    let mut place = 0;
    while place < names.len() {
        names[place] = PHASES[place].name;
        place += 1;
    }
    names
};

const PHASES: [Phase; 7] = [
    Phase {
        name: "rules",
        text: include_str!("phases/rules.toml"),
        place: Place::Anywhere,
        tests: &[
            Known::TokenDoubleSpend,
            Known::TokenReusable,
            Known::TokenInLog,
            Known::Silent1006,
            Known::PingAsChat,
            Known::DuplicateOnResume,
            Known::LostWhileAway,
            Known::ExpiryTooShort,
            Known::OriginUnchecked,
            Known::NotAParticipant,
            Known::NoRateLimit,
            Known::OversizeAccepted,
            Known::ChunkReorder,
            Known::CompleteMissing,
            Known::WrongConversation,
            Known::RetryRunsTwice,
        ],
    },
    Phase {
        name: "waits",
        text: include_str!("phases/waits.toml"),
        place: Place::Attached,
        tests: &[
            Known::TokenReusable,
            Known::TokenImmortal,
            Known::TokenTtlDrift,
            Known::NoServerPing,
        ],
    },
    Phase {
        name: "lives",
        text: include_str!("phases/lives.toml"),
        place: Place::Own("how long an access token lives is the server's own to say"),
        tests: &[
            Known::TokenReusable,
            Known::TokenImmortal,
            Known::TokenTtlDrift,
            Known::NoServerPing,
            Known::JwtExpiryCut,
        ],
    },
    Phase {
        name: "outage",
        text: include_str!("phases/outage.toml"),
        place: Place::Anywhere,
        tests: &[
            Known::ConnectHang,
            Known::TokenEndpointHang,
            Known::NoResubscribe,
            Known::PubsubOnly,
        ],
    },
    Phase {
        name: "storm",
        text: include_str!("phases/storm.toml"),
        place: Place::Anywhere,
        tests: &[Known::GroupLeak],
    },
    Phase {
        name: "reader",
        text: include_str!("phases/reader.toml"),
        place: Place::Own("it takes a server that lets one client ask for more than buffers hold"),
        tests: &[Known::UnboundedOutbox],
    },
    Phase {
        name: "instances",
        text: include_str!("phases/instances.toml"),
        place: Place::Own("it takes two instances, each at an address of its own"),
        tests: &[Known::MemoryLayerTwoInstances],
    },
];

/// A phase as it fits the plan.
#[derive(Debug)]
pub(crate) struct Composed {
    pub name: &'static str,
    /// The scenario; `None`: nothing of it can be done here.
    pub scenario: Option<String>,
    /// What the run puts to the test.
    pub tests: Vec<Known>,
    pub has_faults: bool,
    /// What it would have tested, and why it does not.
    pub left_out: Vec<(Known, String)>,
}

impl Composed {
    /// Nothing of it is done, for that reason.
    pub(crate) fn leave_out(&mut self, why: &str) {
        self.scenario = None;
        let tests = self.tests.drain(..);
        self.left_out
            .extend(tests.map(|known| (known, why.to_owned())));
    }
}

/// Every phase that belongs to the plan.
pub(crate) fn phases(plan: &Plan) -> Vec<Composed> {
    let attached = plan.environment.target.is_some();
    let belongs = |phase: &&Phase| phase.place != Place::Attached || attached;
    PHASES
        .iter()
        .filter(belongs)
        .map(|phase| match phase.place {
            Place::Own(why) if attached => phase.left_out(why),
            Place::Own(_) | Place::Anywhere | Place::Attached => phase.composed(plan),
        })
        .collect()
}

impl Phase {
    fn left_out(&self, why: &str) -> Composed {
        let mut composed = Composed {
            name: self.name,
            scenario: None,
            tests: self.tests.to_vec(),
            has_faults: false,
            left_out: Vec::new(),
        };
        composed.leave_out(why);
        composed
    }

    fn composed(&self, plan: &Plan) -> Composed {
        // Both are TOML: one is part of the program, the other printed by it.
        let (Ok(mut whole), Ok(mut own)) = (
            plan::to_toml(plan).parse::<Table>(),
            self.text.parse::<Table>(),
        ) else {
            return self.left_out("the harness is wrong");
        };
        // What a phase sets its own server to goes with its own numbers.
        let mut kept = entries(&mut whole, "trial");
        if plan.environment.target.is_none() {
            kept.clear();
        }
        for list in ["fault", "expect", "abort_when"] {
            entries(&mut whole, list);
        }
        let lists = ["fault", "trial", "expect"].map(|list| (list, entries(&mut own, list)));
        settle(&mut whole, own, plan);
        whole.insert("title".to_owned(), Value::from(self.name));
        if let Err(why) = fits(&whole) {
            return self.left_out(&why);
        }
        let mut left_out: Vec<(Known, String)> = plan
            .environment
            .dialect
            .as_deref()
            .map(|dialect| self.untold(dialect))
            .unwrap_or_default();
        let mut tests = self.tests.to_vec();
        tests.retain(|known| left_out.iter().all(|(untold, _)| untold != known));
        for (list, entries) in lists {
            let entries = entries.into_iter().map(|entry| sized(entry, plan));
            for entry in entries.flat_map(|entry| replaced(entry, &kept)) {
                let about = self.about(list, &entry);
                let fitting = suits(list, &entry, plan).and_then(|()| {
                    let mut tried = whole.clone();
                    push(&mut tried, list, entry.clone());
                    fits(&tried).map_err(|why| match list {
                        "trial" => format!("the experiment that shows it {why}"),
                        _ => why,
                    })
                });
                match fitting {
                    Ok(()) => push(&mut whole, list, entry),
                    // Without its fault a phase shows nothing.
                    Err(why) if list == "fault" => return self.left_out(&why),
                    Err(why) => {
                        tests.retain(|known| !about.contains(known));
                        left_out.extend(about.into_iter().map(|known| (known, why.clone())));
                    }
                }
            }
        }
        let scenario = (!tests.is_empty()).then(|| whole.to_string());
        Composed {
            name: self.name,
            scenario,
            tests,
            has_faults: whole.contains_key("fault"),
            left_out,
        }
    }

    /// Failures that do not show in what this server says.
    fn untold(&self, dialect: &Dialect) -> Vec<(Known, String)> {
        let unnumbered = dialect.events.chunk.is_none();
        let nameless = dialect.matching == Matching::Order;
        let untold = [
            (
                Known::ChunkReorder,
                unnumbered
                    .then_some("its answers have no numbered parts, as far as the scenario says"),
            ),
            (
                Known::WrongConversation,
                nameless.then_some("its answers do not say which message they belong to"),
            ),
        ];
        let untold = untold
            .into_iter()
            .filter(|(known, _)| self.tests.contains(known));
        let untold = untold.filter_map(|(known, why)| Some((known, why?.to_owned())));
        untold.collect()
    }

    /// What of the phase's failures an entry is about.
    fn about(&self, list: &str, entry: &Table) -> Vec<Known> {
        let shown: &[Known] = match list {
            "trial" => &promised(entry),
            "expect" => self.tests,
            _ => &[],
        };
        let mine = self.tests.iter().filter(|known| shown.contains(known));
        mine.copied().collect()
    }
}

/// What a trial is, on a server of the contract.
fn kind(entry: &Table) -> Option<TrialKind> {
    let mut alone = Table::new();
    let load = [("clients", Value::from(1)), ("hold", Value::from("1s"))];
    let load = load.map(|(key, value)| (key.to_owned(), value));
    alone.insert("load".to_owned(), Value::Table(load.into_iter().collect()));
    push(&mut alone, "trial", entry.clone());
    let plan = plan::compile("audit", &alone.to_string(), &Overrides::default()).ok()?;
    plan.trials.first().map(|trial| trial.kind)
}

/// The failures that a trial can show.
fn promised(entry: &Table) -> Vec<Known> {
    let promises = kind(entry).map_or(&[][..], TrialKind::promises);
    promises.iter().map(|promise| promise.known).collect()
}

/// What an entry means on this server, where that is more than whether it can be done.
fn suits(list: &str, entry: &Table, plan: &Plan) -> Result<(), String> {
    let dialect = plan.environment.dialect.as_deref();
    if list == "expect" && dialect.is_some() {
        return Err("only the counters of the reference server tell it".to_owned());
    }
    if plan.environment.target.is_none() {
        return Ok(());
    }
    let Some(kind) = kind(entry) else {
        return Ok(());
    };
    let is_own = plan
        .trials
        .iter()
        .any(|trial| trial.kind.name() == kind.name());
    let is_cookie = plan.load.session.credential == Credential::Cookie;
    let beats = dialect.is_some_and(|dialect| dialect.send.heartbeat.is_some());
    let why = match kind {
        TrialKind::TokenAge(_) if !is_own => {
            "how long its tokens live is not known: add [[trial]] kind = \"token-age\", ttl = \"…\" to the scenario"
        }
        TrialKind::Origin(_) if dialect.is_some() && !is_cookie => {
            "no cookie opens its sockets: a page of another site has nothing to get in with"
        }
        TrialKind::KeepAlive(_) if beats && !is_own => {
            "its clients keep the sockets alive: the scenario names a heartbeat"
        }
        _ => return Ok(()),
    };
    Err(why.to_owned())
}

/// What another server may take is not known: this no chat should.
fn sized(mut entry: Table, plan: &Plan) -> Table {
    if plan.environment.dialect.is_none() {
        return entry;
    }
    let (key, beyond) = match kind(&entry) {
        Some(TrialKind::Oversize(_)) => ("characters", CHARACTERS_BEYOND),
        Some(TrialKind::Flood(_)) => ("messages", MESSAGES_BEYOND),
        _ => return entry,
    };
    entry.insert(key.to_owned(), Value::from(beyond));
    entry
}

/// The entries of that kind that the plan has itself, or the one of the phase.
fn replaced(entry: Table, kept: &[Table]) -> Vec<Table> {
    let kind = entry.get("kind").and_then(Value::as_str);
    let same = |other: &&Table| other.get("kind").and_then(Value::as_str) == kind;
    let own: Vec<Table> = kept.iter().filter(same).cloned().collect();
    if own.is_empty() { vec![entry] } else { own }
}

/// Whether that is a scenario; if not, its first complaint.
fn fits(whole: &Table) -> Result<(), String> {
    let compiled = plan::compile("audit", &whole.to_string(), &Overrides::default());
    compiled.map(drop).map_err(|problems| {
        let first = problems.iter().next();
        first.map_or_else(String::new, |problem| problem.fact.clone())
    })
}

/// Load and environment of the phase, laid over those of the plan; who waits longer for an answer goes on doing so.
fn settle(whole: &mut Table, mut own: Table, plan: &Plan) {
    if plan.environment.target.is_some()
        && let Some(Value::Table(environment)) = own.get_mut("environment")
    {
        environment.remove("server");
    }
    if plan.load.drain_us > DRAIN_US
        && let Some(Value::Table(load)) = own.get_mut("load")
    {
        load.remove("drain");
    }
    if let Some(Value::Table(load)) = whole.get_mut("load") {
        // What a client that is broken on purpose loses says nothing of the server.
        for key in ["ramp", "hold", "shards", "sources", "pacing", "defects"] {
            load.remove(key);
        }
    }
    laid(whole, own);
}

/// Why a failure was not put to the test by any run, by failure; the first reason counts.
pub(super) fn reasons(composed: &[Composed]) -> BTreeMap<Known, &str> {
    let mut reasons = BTreeMap::new();
    for (known, why) in composed.iter().flat_map(|phase| &phase.left_out) {
        reasons.entry(*known).or_insert(why.as_str());
    }
    reasons
}
