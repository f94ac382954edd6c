//! This module is the account of a search: all that `capacity.json` holds and a report says.
//!
//! **In:** the probes and the bounds of the search. **Out:** an [`Answer`]. **Units:** loads are numbers of the unit of the axis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::law::Scaling;
use super::model::binomial::holds_at_least;
use super::planner::Outlook;
use super::probe::Probe;
use super::question::Question;
use super::search::{self, Came, Found, Seen};
use super::storm::Storm;
use super::uses::Use;
use crate::exit::Exit;
use crate::format;

/// Version of the format of `capacity.json`.
pub(crate) const SCHEMA: &str = "harness.capacity/1";
/// Of a target that was not started for the probes.
const OUTSIDE: &str = "the target was not started for the probes, so only what can be seen of it from outside was read: bytes \
                       on the sockets, connections that wait to be accepted where it listens on this machine, and its task queue \
                       where its /metrics tells; its processors, memory and files are not known";
/// How sure it is what k of k say.
const CONFIDENCE: f64 = 0.95;

/// The answer to one search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Answer {
    /// [`SCHEMA`].
    pub schema: String,
    pub asked: Question,
    pub end: End,
    pub found: Found,
    /// The answer in one or two sentences.
    pub sentence: String,
    /// Exit code of `harness capacity`.
    pub exit_code: u8,
    /// What was full at the smallest load that broke, or at the largest that held where none broke.
    pub full: Option<Use>,
    /// Loads that held and broke.
    pub flapping: Vec<u64>,
    /// Held above a load that broke.
    pub held_above_break: Option<u64>,
    pub outlook: Option<Outlook>,
    pub scaling: Scaling,
    /// What became of the load that held when half of its connections were cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
    /// In the order in which they were done.
    pub probes: Vec<Probe>,
    pub notes: Vec<String>,
}

/// Why there are no more probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// There is nothing left to find.
    Done,
    /// The next probe would have been over the budget.
    Budget,
    Interrupted,
}

impl Answer {
    /// The account of what was seen so far.
    pub(crate) fn of(
        asked: Question,
        (probes, storm): (Vec<Probe>, Option<Storm>),
        end: End,
    ) -> Self {
        let seen = seen(&probes);
        let found = match search::next(&asked.bounds, &seen) {
            search::Next::Done(found) => found,
            search::Next::Probe { .. } => search::so_far(&asked.bounds, &seen),
        };
        let scaling = Scaling::of(&probes);
        // One at another load than the answer says nothing of it.
        let storm = storm.filter(|storm| Some(storm.load) == found.held());
        let outlook = Outlook::of(&asked, found, (&probes, &scaling, storm.as_ref()));
        let full = full(found, &probes).cloned();
        let sure = search::is_sure(&asked.bounds, &seen, found);
        let flapping = search::flapping(&seen);
        let held_above_break = search::held_above_break(&seen);
        Self {
            schema: SCHEMA.to_owned(),
            sentence: sentence(&asked, (found, end, sure), &probes, full.as_ref())
                + &in_storm(storm.as_ref()),
            exit_code: exit(found, end, sure).code(),
            notes: notes(
                &asked,
                found,
                (&probes, storm.as_ref()),
                (&flapping, held_above_break),
            ),
            asked,
            end,
            found,
            full,
            flapping,
            held_above_break,
            outlook,
            scaling,
            storm,
            probes,
        }
    }
}

/// What the search knows of probes.
pub(crate) fn seen(probes: &[Probe]) -> Vec<Seen> {
    probes
        .iter()
        .map(|probe| (probe.load, probe.came))
        .collect()
}

const fn exit(found: Found, end: End, sure: bool) -> Exit {
    match (end, found) {
        (End::Interrupted, _) => Exit::Interrupted,
        (End::Budget, _) | (_, Found::GeneratorFull { .. } | Found::Unclear) => Exit::Inconclusive,
        (End::Done, _) if !sure => Exit::Inconclusive,
        (End::Done, Found::LessThan { .. }) => Exit::Threshold,
        (End::Done, Found::Between { .. } | Found::AtLeast { .. }) => Exit::Pass,
    }
}

/// What was full where it matters.
fn full(found: Found, probes: &[Probe]) -> Option<&Use> {
    let at = match found {
        Found::Between { broke, .. } | Found::LessThan { broke } => broke,
        Found::GeneratorFull { full, .. } => full,
        Found::AtLeast { held } => held,
        Found::Unclear => return None,
    };
    let mut of = probes.iter().filter(|probe| probe.load == at);
    of.find_map(Probe::full)
}

fn sentence(
    asked: &Question,
    (found, end, sure): (Found, End, bool),
    probes: &[Probe],
    full: Option<&Use>,
) -> String {
    let load = |load: u64| format!("{} {}", format::count(load), asked.axis.unit());
    let so_far = match end {
        End::Done if sure || matches!(found, Found::GeneratorFull { .. } | Found::Unclear) => "",
        End::Done => "Not confirmed: ",
        End::Budget => "So far, for the budget is used up: ",
        End::Interrupted => "So far, for it was interrupted: ",
    };
    let text = match found {
        Found::Between { held, broke } => {
            let full = full.map_or_else(
                || nothing_full(probes, broke),
                |of| format!(" Full was {}: {}.", of.what, of.text),
            );
            format!(
                "everything holds at {}, and not at {}: {}{full}",
                load(held),
                load(broke),
                why(probes, broke, Came::Broke)
            )
        }
        Found::AtLeast { held } if held >= asked.bounds.to => format!(
            "at least {}: everything holds there, and more was not tried.",
            load(held)
        ),
        Found::AtLeast { held } => format!(
            "at least {}: everything holds there, and what is above could not be told.",
            load(held)
        ),
        Found::GeneratorFull { held, full } => format!(
            "at least {}: at {} the generator, or the machine that it shares with the target, was full: {}",
            load(held),
            load(full),
            why(probes, full, Came::Full)
        ),
        Found::LessThan { broke } => format!(
            "less than {}: {}",
            load(broke),
            why(probes, broke, Came::Broke)
        ),
        Found::Unclear => {
            let last = probes.last();
            let why = last.map_or("nothing was tried.", |probe| probe.sentence.as_str());
            format!("no load had a clear answer: {why}")
        }
    };
    let text = format!("{so_far}{text}");
    format::capital(&text)
}

/// What the answer is worth when an instance goes.
fn in_storm(storm: Option<&Storm>) -> String {
    let broke = storm.filter(|storm| storm.came == Came::Broke);
    broke.map_or_else(String::new, |storm| {
        format!(
            " It does not survive half of its clients coming back at once: {}",
            storm.sentence
        )
    })
}

/// What to think where nothing that can be read was full.
fn nothing_full(probes: &[Probe], load: u64) -> String {
    let mut of = probes.iter().filter(|probe| probe.load == load);
    // Of a target that was not started here nothing of its own is known.
    let knows = |probe: &&Probe| probe.server_bytes.is_some();
    let fullest = of.find(knows).and_then(|probe| probe.uses.first());
    fullest.map_or_else(String::new, |of| {
        format!(
            " Nothing that can be read was full (most used: {}, {}): the limit is one of the service's own.",
            of.what, of.text
        )
    })
}

/// Why a load came to that, by its first probe that did.
fn why(probes: &[Probe], load: u64, came: Came) -> &str {
    let mut of = probes.iter();
    let found = of.find(|probe| probe.load == load && probe.came == came);
    found.map_or("it did not.", |probe| probe.sentence.as_str())
}

fn notes(
    asked: &Question,
    found: Found,
    (probes, storm): (&[Probe], Option<&Storm>),
    (flapping, held_above_break): (&[u64], Option<u64>),
) -> Vec<String> {
    let unit = asked.axis.unit();
    let times = |load: u64, came: Came| {
        let of = probes
            .iter()
            .filter(|probe| probe.load == load && probe.came == came);
        of.count()
    };
    let mut notes = Vec::new();
    if let Found::Between { held, broke } = found {
        let told = |load: u64| times(load, Came::Held) + times(load, Came::Broke);
        let (held_times, broke_times) = (times(held, Came::Held), times(broke, Came::Broke));
        let (of_held, of_broke) = (told(held), told(broke));
        notes.push(format!(
            "held {held_times} of {of_held} at {}, broke {broke_times} of {of_broke} at {}: 95 % sure that it holds in at least {} and breaks in at least {} of all probes",
            format::count(held),
            format::count(broke),
            format::percent(share(held_times, of_held)),
            format::percent(share(broke_times, of_broke))
        ));
    }
    if !flapping.is_empty() {
        let loads: Vec<String> = flapping.iter().map(|load| format::count(*load)).collect();
        notes.push(format!(
            "the limit flaps: {} {unit} held and broke, so the answer is that much wider",
            loads.join(", ")
        ));
    }
    if let Some(load) = held_above_break {
        notes.push(format!(
            "more is not always worse: {} {unit} held above a load that broke",
            format::count(load)
        ));
    }
    let shared = probes.iter().flat_map(|probe| &probe.uses);
    let shared =
        shared.filter(|of| of.generator && of.share_ratio.is_some_and(|ratio| ratio >= 0.75));
    if shared.count() > 0 {
        notes.push(
            "generator and target share this machine, and it was busy: the answer is of both together"
                .to_owned(),
        );
    }
    if is_attached(probes) {
        notes.push(OUTSIDE.to_owned());
    }
    let short = probes
        .iter()
        .any(|probe| probe.came == Came::Held && probe.steady.is_none());
    if short {
        let note = "probes are too short to tell whether what is in flight grew, or whether they had warmed up: \
                    give them a hold of 6 s or more";
        notes.push(note.to_owned());
    }
    let unclear = probes.iter().filter(|probe| probe.came == Came::Unclear);
    let dark = storm.filter(|storm| matches!(storm.came, Came::Full | Came::Unclear));
    notes.extend(dark.map(|storm| {
        format!(
            "whether the clients are back after a storm could not be told, and --resume tries it again: {}",
            storm.sentence
        )
    }));
    notes.extend(unclear.take(3).map(|probe| {
        format!(
            "{} {unit} could not be told ({}): {}",
            format::count(probe.load),
            probe.folder,
            probe.sentence
        )
    }));
    notes
}

/// The target was not started for the probes.
fn is_attached(probes: &[Probe]) -> bool {
    let mut ran = probes.iter().filter(|probe| !probe.run.is_empty());
    ran.clone().next().is_some() && ran.all(|probe| probe.server_bytes.is_none())
}

/// So many of so many: the share of all probes that comes to the same, at least.
fn share(times: usize, of: usize) -> f64 {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    holds_at_least(number(times), number(of), CONFIDENCE)
}
