//! This module reads `[[expect]]` and `[[abort_when]]` entries.
//!
//! **In:** sections of the document. **Out:** [`Criterion`]: an [`Expectation`] and where its parts
//! stand. Whether the run can answer it is for the plan to say.

use std::time::Duration;

use super::document::{Node, Value, shortened};
use super::expectation::{
    Bound, Comparison, Expectation, Outcome, Quantity, Statistic, TimeKind, When,
};
use super::problem::{Cause, Complaint, Located, Place, Problems};
use super::section::Section;
use super::server_count::ServerCount;
use super::suggest;
use super::value::{self, HOUR};
use crate::stage::Stage;
use crate::units;

/// Most entries of one kind.
const CRITERIA_MAX: usize = 200;
/// The list whose entries end a run.
pub(super) const ABORT_WHEN: &str = "abort_when";
/// Most answers that a rule may ask for.
pub(super) const SAMPLES_MAX: u64 = 1_000_000;
/// Longest `what` and `when`.
const TEXT_CHARACTERS_MAX: usize = 80;

/// One entry, as typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Criterion {
    /// Path of the entry: `expect[0]`.
    pub field: String,
    pub expectation: Expectation,
    pub what_at: Place,
    pub when_at: Place,
    /// What only `[[abort_when]]` has.
    pub patience: Patience,
}

/// How long a rule bears with what it sees before it ends the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Patience {
    pub after: Option<Located<Duration>>,
    pub lasting: Option<Located<Duration>>,
    pub min_samples: Option<Located<u64>>,
}

const STATISTICS: [(&str, Statistic); 8] = [
    ("mean", Statistic::Mean),
    ("p50", Statistic::P50),
    ("p90", Statistic::P90),
    ("p95", Statistic::P95),
    ("p99", Statistic::P99),
    ("p99.9", Statistic::P999),
    ("p999", Statistic::P999),
    ("max", Statistic::Max),
];

const COUNTS: [(&str, Quantity); 7] = [
    ("impact", Quantity::Impact),
    ("detect", Quantity::Detect),
    ("recovery", Quantity::Recovery),
    ("backlog drain", Quantity::BacklogDrain),
    ("cut sessions", Quantity::CutSessions),
    ("failed clients", Quantity::FailedClients),
    ("peak open", Quantity::PeakOpen),
];

const COMPARISONS: [(&str, Comparison); 4] = [
    ("under", Comparison::Under),
    ("at_most", Comparison::AtMost),
    ("equals", Comparison::Equals),
    ("at_least", Comparison::AtLeast),
];

impl Quantity {
    /// As a scenario writes it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Latency {
                stage,
                statistic,
                time,
            } => {
                let statistic = statistic.name();
                let suffix = if time == TimeKind::Service {
                    " service"
                } else {
                    ""
                };
                format!("{} {statistic}{suffix}", stage.name())
            }
            Self::Delivery { outcome } => outcome.name().to_owned(),
            Self::Closes { code } => format!("closes {code}"),
            Self::Impact
            | Self::Detect
            | Self::Recovery
            | Self::BacklogDrain
            | Self::CutSessions
            | Self::FailedClients
            | Self::PeakOpen => value::name_of(&COUNTS, self).to_owned(),
            Self::Server { count } => count.about().name.to_owned(),
        }
    }
}

impl When {
    /// As a scenario writes it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::WholeRun => "whole run".to_owned(),
            Self::OutsideFaults => "outside faults".to_owned(),
            Self::Ramp => "ramp".to_owned(),
            Self::During { fault } => format!("during {fault}"),
            Self::Stage { name } => name.clone(),
        }
    }
}

impl Comparison {
    /// The key a scenario writes the bound under.
    pub(crate) fn name(self) -> &'static str {
        value::name_of(&COMPARISONS, self)
    }
}

/// Reads all entries of `key`: `expect` or `abort_when`.
pub(super) fn read(
    root: &mut Section<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> Vec<Criterion> {
    let sections = root.tables(problems, key, CRITERIA_MAX);
    sections
        .into_iter()
        .filter_map(|section| one(section, key == ABORT_WHEN, problems))
        .collect()
}

fn one(mut section: Section<'_>, ends: bool, problems: &mut Problems) -> Option<Criterion> {
    let hint = "write what is observed: what = \"complete p99\", \"recovery\" or \"lost\"";
    let what = section.require(problems, "what", hint, what);
    let when = section.read_or(problems, "when", When::WholeRun, when);
    let bound = bound(&mut section, what.as_ref().map(|what| what.value), problems);
    let patience = if ends {
        patience(&mut section, problems)
    } else {
        Patience::default()
    };
    let field = section.path().to_owned();
    section.finish(problems);
    let what = what?;
    // Without a bound no plan comes of it, but the rest can still be checked.
    let nothing = Bound {
        comparison: Comparison::AtLeast,
        value: 0.0,
    };
    let (bound, bound_text) = bound.unwrap_or((nothing, String::new()));
    Some(Criterion {
        field,
        expectation: Expectation {
            what: what.value,
            when: when.value,
            bound,
            bound_text,
            line: what.at.line(),
        },
        what_at: what.at,
        when_at: when.at,
        patience,
    })
}

fn patience(section: &mut Section<'_>, problems: &mut Problems) -> Patience {
    let time = value::duration(Duration::ZERO..=24 * HOUR);
    Patience {
        after: section.read(problems, "after", &time),
        lasting: section.read(problems, "for", &time),
        min_samples: section.read(problems, "min_samples", value::integer(1..=SAMPLES_MAX)),
    }
}

/// `complete p99`, `token p99 service`, `lost`, `closes 1006`, …
fn what(node: &Node) -> Result<Quantity, Complaint> {
    let text = value::text(TEXT_CHARACTERS_MAX)(node)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ");
    if let Some((_, quantity)) = COUNTS.iter().find(|(name, _)| *name == joined) {
        return Ok(*quantity);
    }
    if let Some(count) = ServerCount::from_name(&joined) {
        return Ok(Quantity::Server { count });
    }
    if let Some(outcome) = Outcome::from_name(&joined) {
        return Ok(Quantity::Delivery { outcome });
    }
    match words.as_slice() {
        ["closes", code] => closes(code),
        [stage, rest @ ..] if Stage::from_name(stage).is_some() || !rest.is_empty() => {
            latency(&text, stage, rest)
        }
        _ => Err(unknown_what(&text)),
    }
}

fn closes(code: &str) -> Result<Quantity, Complaint> {
    if let Ok(code @ 1000..=4999) = code.parse() {
        return Ok(Quantity::Closes { code });
    }
    let fact = format!(
        "expected a close code from 1000 to 4999, found \"{}\"",
        shortened(code)
    );
    Err(Complaint::new(fact).hint("write \"closes 1006\""))
}

fn latency(text: &str, stage: &str, rest: &[&str]) -> Result<Quantity, Complaint> {
    if stage == "dns" {
        let complaint =
            Complaint::new("a name is looked up once, before the load: nothing of it is timed");
        return Err(complaint.hint("`tcp` is the first stage of a connection"));
    }
    let Some(stage) = Stage::from_name(stage) else {
        return Err(unknown_what(text));
    };
    let statistics = || STATISTICS.map(|(name, _)| name);
    let (statistic, time) = match rest {
        [] => {
            let complaint =
                Complaint::new(format!("expected a statistic behind \"{}\"", stage.name()));
            return Err(complaint.hint(format!("write \"{} p99\"", stage.name())));
        }
        [statistic] | [statistic, "response"] => (statistic, TimeKind::Response),
        [statistic, "service"] => (statistic, TimeKind::Service),
        [_, other, ..] => {
            let fact = format!(
                "expected \"service\" or \"response\", found \"{}\"",
                shortened(other)
            );
            return Err(Complaint::new(fact));
        }
    };
    let known = STATISTICS.iter().find(|(name, _)| name == statistic);
    let Some((_, statistic)) = known else {
        let fact = format!("unknown statistic \"{}\"", shortened(statistic));
        return Err(Complaint::new(fact).hint(format!("known: {}", statistics().join(", "))));
    };
    Ok(Quantity::Latency {
        stage,
        statistic: *statistic,
        time,
    })
}

fn unknown_what(text: &str) -> Complaint {
    let stages = Stage::ALL.map(Stage::name);
    let mut names: Vec<&str> = COUNTS.iter().map(|(name, _)| *name).collect();
    names.extend(ServerCount::ALL.map(|count| count.about().name));
    names.extend(Outcome::ALL.map(Outcome::name));
    let complaint = Complaint::new(format!(
        "nothing called \"{}\" is observed",
        shortened(text)
    ));
    let first = text.split_whitespace().next().unwrap_or_default();
    if let Some(name) = suggest::nearest(text, &names) {
        return complaint.hint(format!("did you mean \"{name}\"?"));
    }
    if let Some(name) = suggest::nearest(first, &stages) {
        let rest = text.trim_start().strip_prefix(first).unwrap_or_default();
        return complaint.hint(format!("did you mean \"{name}{}\"?", shortened(rest)));
    }
    names.push("closes CODE");
    complaint.hint(format!(
        "known: {}; and p50 … max of {}",
        names.join(", "),
        stages.join(", ")
    ))
}

/// What may have been meant by a part of the run that there is not.
pub(crate) fn unknown_part_hint(name: &str, stages: &[&str]) -> String {
    let known: Vec<&str> = PARTS.into_iter().chain(stages.iter().copied()).collect();
    match suggest::nearest(name, &known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!(
            "known: {}; a stage is called so by {{ hold = \"30s\", name = \"{name}\" }}",
            known.join(", ")
        ),
    }
}

/// Parts of a run that every scenario has, or may have.
const PARTS: [&str; 4] = ["whole run", "outside faults", "ramp", "during NAME"];

/// `whole run`, `outside faults`, `ramp`, `during NAME`, the name of a stage.
fn when(node: &Node) -> Result<When, Complaint> {
    let text = value::text(TEXT_CHARACTERS_MAX)(node)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["whole", "run"] => Ok(When::WholeRun),
        ["outside", "faults"] => Ok(When::OutsideFaults),
        ["ramp"] => Ok(When::Ramp),
        ["during", fault] => Ok(When::During {
            fault: (*fault).to_owned(),
        }),
        // Whether there is such a stage is for the plan to say.
        [name] if value::is_plain(name) => Ok(When::Stage {
            name: (*name).to_owned(),
        }),
        _ => {
            let known = PARTS;
            let complaint =
                Complaint::new(format!("unknown part of the run \"{}\"", shortened(&text)));
            Err(match suggest::nearest(&text, &known) {
                Some(name) => complaint.hint(format!("did you mean \"{name}\"?")),
                None => complaint.hint(format!("known: {}", known.join(", "))),
            })
        }
    }
}

/// The one bound of an entry, with its text.
fn bound(
    section: &mut Section<'_>,
    what: Option<Quantity>,
    problems: &mut Problems,
) -> Option<(Bound, String)> {
    let mut written = Vec::new();
    for (key, comparison) in COMPARISONS {
        if section.has(key) {
            let read = section.read(problems, key, |node| match what {
                Some(what) if what.is_time() => time_bound(node),
                Some(_) => count_bound(node),
                // Its unit is unknown as long as `what` is.
                None => Ok((0.0, String::new())),
            });
            written.push((comparison, read));
        } else {
            section.node(key);
        }
    }
    let complain = |problems: &mut Problems, complaint: Complaint| {
        let hint = match what {
            Some(what) if what.is_time() => {
                "write one of under, at_most, at_least, equals: under = \"500ms\""
            }
            Some(_) => "write one of under, at_most, at_least, equals: equals = 0",
            None => "write one of under, at_most, at_least, equals",
        };
        problems.add(&section.at, section.path(), complaint.hint(hint));
    };
    match written.as_slice() {
        [(comparison, read)] => {
            let Located {
                value: (value, text),
                ..
            } = read.clone()?;
            Some((
                Bound {
                    comparison: *comparison,
                    value,
                },
                text,
            ))
        }
        [] => {
            let complaint = Complaint::new("the bound is missing");
            complain(
                problems,
                Complaint {
                    cause: Cause::Missing,
                    ..complaint
                },
            );
            None
        }
        _ => {
            complain(problems, Complaint::new("more than one bound"));
            None
        }
    }
}

fn time_bound(node: &Node) -> Result<(f64, String), Complaint> {
    let duration = value::duration(Duration::from_micros(1)..=24 * HOUR)(node)?;
    Ok((units::us(duration) as f64, units::print_duration(duration)))
}

fn count_bound(node: &Node) -> Result<(f64, String), Complaint> {
    if let Value::Text(text) = &node.value
        && units::parse_duration(text).is_ok()
    {
        let complaint = Complaint::new(format!("expected a count, found the time \"{text}\""));
        return Err(complaint.hint("this is counted, not timed: equals = 0"));
    }
    let count = value::integer(0..=1_000_000_000_i64)(node)?;
    Ok((count as f64, count.to_string()))
}
