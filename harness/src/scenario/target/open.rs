//! This module reads what is said and heard on a socket before it is ready.
//!
//! **In:** `[[target.open]]`. **Out:** [`OpeningStep`]s.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{Columns, Taken};
use super::frame::{self, FrameMatch};
use super::framing;
use super::part::{NONE, TEXT_MAX};
use super::template::{ID, known};
use crate::scenario::document::{Node, Value};
use crate::scenario::problem::{Complaint, Place, Problems};
use crate::scenario::section::Section;
use crate::scenario::value::{self, MINUTE, MS};
use crate::units;

/// Most steps of one opening.
pub(crate) const STEPS_MAX: usize = 16;
/// Most values that one frame gives.
const CAPTURES_MAX: usize = 16;
/// How long a frame is waited for where nobody says so.
const WITHIN: Duration = Duration::from_secs(5);

/// One step: something is said, or heard, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OpeningStep {
    /// As reports call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Template of what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// What is waited for.
    #[serde(default, rename = "await", skip_serializing_if = "Option::is_none")]
    pub awaited: Option<FrameMatch>,
    /// Values of the frame that was waited for, by the names of their places: where they stand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, String>,
    /// How long it is waited for.
    pub within_us: u64,
}

/// Reads the steps. A name that is captured fills places of the steps after it.
pub(super) fn read(
    section: &mut Section<'_>,
    columns: Columns<'_>,
    problems: &mut Problems,
) -> Vec<OpeningStep> {
    let tables = section.tables(problems, "open", STEPS_MAX);
    let mut taken = Taken::none(columns);
    let read = tables
        .into_iter()
        .map(|table| one(table, &mut taken, problems));
    let steps: Vec<(OpeningStep, Stand)> = read.collect();
    for (nth, (step, stand)) in steps.iter().enumerate() {
        let Some(send) = &step.send else { continue };
        let (before, after) = steps.split_at(nth);
        let filled = before.iter().flat_map(|(step, _)| step.capture.keys());
        let filled = filled.map(String::as_str);
        let filled: Vec<&str> = known().chain([ID]).chain(filled).collect();
        let later = after.iter().flat_map(|(step, _)| step.capture.keys());
        let later: Vec<&str> = later.map(String::as_str).collect();
        if let Err(complaint) = columns.check(send, &filled, &later) {
            problems.add(&stand.at, stand.field.clone(), complaint);
        }
    }
    let steps = steps.into_iter().map(|(step, _)| step);
    // A step of a protocol that a scenario wants nothing of.
    steps
        .filter(|step| step.send.is_some() || step.awaited.is_some())
        .collect()
}

/// What is waited for; `None`: nothing, in so many words.
fn awaited(node: &Node) -> Result<Option<FrameMatch>, Complaint> {
    match &node.value {
        Value::Text(text) if text == NONE => Ok(None),
        _ => frame::read(node).map(Some),
    }
}

/// Where a template stands in the file.
struct Stand {
    at: Place,
    field: String,
}

fn one(
    mut table: Section<'_>,
    taken: &mut Taken<'_>,
    problems: &mut Problems,
) -> (OpeningStep, Stand) {
    let name = table.read(problems, "name", value::plain_name);
    let send = table.read(problems, "send", value::frame_text(TEXT_MAX));
    let awaited = table.read(problems, "await", awaited);
    let capture = capture(&mut table, taken, problems);
    let within = value::duration(MS..=5 * MINUTE);
    let within = table.read(problems, "within", within);
    // One that could not be read is there all the same.
    let (says, hears) = (table.has("send"), table.has("await"));
    let mut lacks = |key: &str, fact: &str, hint: &str| {
        let complaint = Complaint::new(fact).hint(hint);
        let field = if key.is_empty() {
            table.path().to_owned()
        } else {
            table.field(key)
        };
        problems.add(&table.at, field, complaint);
    };
    if !says && !hears {
        let hint =
            "write send = '…' for what is said, await = \"…\" for what is waited for, or both";
        lacks("", "a step that neither says nor awaits anything", hint);
    }
    if !hears && table.has("capture") {
        let hint = "write await = \"…\": the frame that it is taken from";
        lacks(
            "capture",
            "nothing is awaited from which it could be taken",
            hint,
        );
    }
    if !hears && table.has("within") {
        let hint = "leave it out, or write await = \"…\"";
        lacks("within", "nothing is awaited", hint);
    }
    let stand = Stand {
        at: send
            .as_ref()
            .map_or_else(|| table.at.clone(), |send| send.at.clone()),
        field: table.field("send"),
    };
    table.finish(problems);
    let within = within.map_or(WITHIN, |within| within.value);
    let step = OpeningStep {
        name: name.map(|name| name.value),
        send: send.map(|send| send.value).filter(|send| send != NONE),
        awaited: awaited.and_then(|awaited| awaited.value),
        capture,
        within_us: units::us(within),
    };
    (step, stand)
}

/// Reads `capture = { sid = "data.sid" }`; a name is taken once.
pub(super) fn capture(
    table: &mut Section<'_>,
    taken: &mut Taken<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    capture_of(table, (taken, framing::place), problems)
}

/// Reads where a value stands.
pub(super) type ReadPlace = fn(&Node) -> Result<String, Complaint>;

/// The same with another way to say where a value stands.
pub(super) fn capture_of(
    table: &mut Section<'_>,
    (taken, place): (&mut Taken<'_>, ReadPlace),
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let read = table.read(problems, "capture", |node| {
        let Value::Table(entries) = &node.value else {
            let fact = format!("expected a table, found {}", node.value.found());
            return Err(Complaint::new(fact).hint("write capture = { sid = \"data.sid\" }"));
        };
        if entries.len() > CAPTURES_MAX {
            let fact = format!("at most {CAPTURES_MAX} values, found {}", entries.len());
            return Err(Complaint::new(fact));
        }
        let mut capture = BTreeMap::new();
        for (name, entry) in entries {
            taken.take(name)?;
            capture.insert(name.clone(), place(&entry.node)?);
        }
        Ok(capture)
    });
    read.map_or_else(BTreeMap::new, |read| read.value)
}
