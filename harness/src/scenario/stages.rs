//! This module holds the stages of the load as typed.
//!
//! **In:** `stages = [ … ]`, or `ramp` and `hold` as their short form. **Out:** [`Stage`]s in order.
//! Whether they make a load is for the plan to say.

use std::time::Duration;

use super::problem::{Complaint, Located, Place, Problems};
use super::section::Section;
use super::value::{self, HOUR};

/// Most clients of one run.
pub(crate) const CLIENTS_MAX: u32 = 100_000;

/// Most stages of one run.
const STAGES_MAX: usize = 100;

/// One entry of `stages`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub at: Place,
    pub field: String,
    pub shape: Shape,
    /// What `when` calls it.
    pub name: Option<Located<String>>,
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

/// `None` where a stage could not be read: the problems say why.
pub(super) fn read(
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
        let complaint = Complaint::missing("clients").hint("write how many: clients = 200");
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
        name: None,
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
    let name = entry.read(problems, "name", value::plain_name);
    let complete = (!entry.has("to") || to.is_some()) && (!entry.has("name") || name.is_some());
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
    shape.filter(|_| complete).map(|shape| Stage {
        at,
        field,
        shape,
        name,
    })
}
