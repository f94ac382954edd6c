//! This module lays the faults out in time.
//!
//! **In:** `[[fault]]` entries as typed, the length of the load, the environment. **Out:** named
//! windows in order of time; a problem for each that cannot take place: past the end of the load, on
//! a link or process that is not there, or in the way of another.
//!
//! **Units:** `*_us` are microseconds from load start.

use std::collections::BTreeSet;

use crate::plan::{EnvironmentPlan, FaultKind, PlannedFault, RedisPlan};
use crate::scenario::fault::{Fault, Length, Link, Mechanism, Reach, RedisPause};
use crate::scenario::problem::{Complaint, Place, Problems};
use crate::units;

/// A probe needs this long beyond a connection's time to see that it was cut.
const CONFIRM_US: u64 = 500_000;

/// A fault with its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub planned: PlannedFault,
    /// Whether its times are known; if not, its name alone counts.
    pub timed: bool,
    at: Place,
    field: String,
}

/// Faults with names and absolute windows, in order of time.
pub(super) fn resolve(
    faults: &[Fault],
    load_us: Option<u64>,
    problems: &mut Problems,
) -> Vec<Placed> {
    let names = names(faults, problems);
    let mut placed = Vec::with_capacity(faults.len());
    for (fault, name) in faults.iter().zip(names) {
        let kind = fault.action;
        let start = fault.start.as_ref();
        let at_us = start.map_or(0, |start| units::us(start.value));
        if let (Some(start), Some(load_us)) = (start, load_us) {
            check_span(fault, &start.at, at_us, load_us, problems);
        }
        if let (Some(kind), Length::For(length)) = (kind, &fault.length) {
            check_effect(fault, kind, units::us(length.value), problems);
        }
        let for_us = match &fault.length {
            Length::For(length) => units::us(length.value),
            Length::Condition => load_us.unwrap_or(0).saturating_sub(at_us),
            Length::Moment | Length::Unknown => 0,
        };
        let timed = start.is_some() && fault.length != Length::Unknown && kind.is_some();
        placed.push(Placed {
            planned: PlannedFault {
                name,
                at_us,
                for_us,
                // A fault without a kind is a problem already: no plan comes of it.
                kind: kind.unwrap_or(FaultKind::RedisPause(RedisPause {})),
                streams: fault.streams,
                toxicity_ratio: fault.toxicity_ratio,
                condition: fault.length == Length::Condition,
                line: fault.at.line(),
            },
            timed,
            at: fault.at.clone(),
            field: fault.field.clone(),
        });
    }
    // Conditions come last: what happens in the run is counted by its place among the events.
    placed.sort_by_key(|fault| (fault.planned.condition, fault.planned.at_us));
    check_overlaps(&placed, problems);
    placed
}

/// Given names as they are; the others after where and what, numbered where that repeats.
fn names(faults: &[Fault], problems: &mut Problems) -> Vec<String> {
    let mut taken = BTreeSet::new();
    for fault in faults {
        if let Some(name) = &fault.name
            && !taken.insert(name.value.clone())
        {
            let complaint = Complaint::new(format!(
                "another fault is called \"{}\" already",
                name.value
            ));
            problems.add(
                &name.at,
                format!("{}.name", fault.field),
                complaint.hint("give each its own name"),
            );
        }
    }
    let mut name = |fault: &Fault| {
        if let Some(name) = &fault.name {
            return name.value.clone();
        }
        let base = default_name(fault);
        let numbered = (2..=faults.len() + 1).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone())
            .chain(numbered)
            .find(|name| !taken.contains(name));
        let name = free.unwrap_or(base);
        taken.insert(name.clone());
        name
    };
    faults.iter().map(&mut name).collect()
}

/// `redis-down`, `redis-tokens-latency`, `redis-kill`.
fn default_name(fault: &Fault) -> String {
    let kind = fault.kind.map_or("fault", |kind| kind.name);
    let name = match &fault.link {
        Some(link) => format!("{}-{kind}", link.value.name()),
        None => kind.to_owned(),
    };
    name.replace(['.', '_'], "-")
}

/// A fault lies within the load.
fn check_span(fault: &Fault, at: &Place, at_us: u64, load_us: u64, problems: &mut Problems) {
    let load_end = units::print_us(load_us);
    if at_us >= load_us {
        let fact = format!(
            "starts at {}, but the load ends at {load_end}",
            units::print_us(at_us)
        );
        problems.add(
            at,
            format!("{}.at", fault.field),
            Complaint::new(fact).hint("start it earlier, or hold the load longer"),
        );
    } else if let Length::For(length) = &fault.length
        && at_us + units::us(length.value) > load_us
    {
        let fact = format!(
            "ends at {}, past the end of the load at {load_end}",
            units::print_us(at_us + units::us(length.value))
        );
        problems.add(
            &length.at,
            format!("{}.for", fault.field),
            Complaint::new(fact).hint("shorten it, or hold the load longer"),
        );
    }
}

/// A fault lasts long enough to do anything.
fn check_effect(fault: &Fault, kind: FaultKind, for_us: u64, problems: &mut Problems) {
    let after_us = kind.acts_after_us();
    if after_us == 0 || for_us >= after_us + CONFIRM_US {
        return;
    }
    let fact = format!(
        "is over after {}, before a connection was seen to be cut: that takes {} and half a second",
        units::print_us(for_us),
        units::print_us(after_us)
    );
    let hint = "let it last longer, or leave `for` out: then it lasts to the end of the load";
    problems.add(
        &fault.at,
        format!("{}.for", fault.field),
        Complaint::new(fact).hint(hint),
    );
}

/// Two faults that each start and stop the same thing must not overlap: the first to end would heal
/// the other.
fn check_overlaps(faults: &[Placed], problems: &mut Problems) {
    let timed: Vec<&Placed> = faults.iter().filter(|fault| fault.timed).collect();
    for (index, later) in timed.iter().enumerate() {
        let end_us = |fault: &Placed| fault.planned.at_us + fault.planned.for_us;
        let clash = timed[..index].iter().find(|earlier| {
            end_us(earlier) > later.planned.at_us
                && excludes(earlier.planned.kind, later.planned.kind)
        });
        if let Some(earlier) = clash {
            let fact = format!(
                "starts at {}, while \"{}\" is in force on the same part until {}",
                units::print_us(later.planned.at_us),
                earlier.planned.name,
                units::print_us(end_us(earlier))
            );
            let hint = "let one end before the other starts";
            problems.add(
                &later.at,
                later.field.clone(),
                Complaint::new(fact).hint(hint),
            );
        }
    }
}

fn excludes(one: FaultKind, other: FaultKind) -> bool {
    match (one.link(), other.link()) {
        (Some(on), Some(another)) => {
            let both =
                one.mechanism() == Mechanism::Disable && other.mechanism() == Mechanism::Disable;
            both && (on.covers(another) || another.covers(on))
        }
        (None, None) => one.reach() == other.reach(),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether each fault acts on something that is there.
pub(super) fn check_reach(
    faults: &[Fault],
    environment: &EnvironmentPlan,
    problems: &mut Problems,
) {
    for fault in faults {
        let reach = fault.kind.map(|kind| kind.reach);
        if reach == Some(Reach::Redis) && environment.redis != RedisPlan::Private {
            let whose = match (&environment.redis, &environment.target) {
                (RedisPlan::Url { .. }, _) => "Redis was not started by this run",
                (_, Some(_)) => "the target manages its own Redis",
                (_, None) => "there is no Redis",
            };
            let fact = format!("cannot act: {whose}");
            let hint = "take the fault out, or let the harness start Redis: redis = \"private\", and no `target`";
            problems.add(
                &fault.at,
                format!("{}.kind", fault.field),
                Complaint::new(fact).hint(hint),
            );
        }
        if reach == Some(Reach::Server) && environment.target.is_some() {
            let fact = "cannot act: the server was not started by this run";
            let hint = "take the fault out, or let the harness start the server: no `target`";
            problems.add(
                &fault.at,
                format!("{}.kind", fault.field),
                Complaint::new(fact).hint(hint),
            );
        }
        if let Some(link) = &fault.link {
            check_link(fault, link.value, environment, problems);
        }
    }
}

fn check_link(fault: &Fault, link: Link, environment: &EnvironmentPlan, problems: &mut Problems) {
    let carried = |single: &Link| {
        environment
            .proxies
            .iter()
            .any(|proxied| proxied.covers(*single))
    };
    if link.singles().iter().all(carried) {
        return;
    }
    let name = link.name();
    let (fact, hint) = if environment.target.is_some() {
        (
            format!("the link \"{name}\" is the target's own: no proxy of this run lies on it"),
            "take the fault out, or leave `target` out to start the server here".to_owned(),
        )
    } else {
        (
            format!("the link \"{name}\" does not run through the fault proxy"),
            format!("write proxies = [\"{name}\"] in [environment]"),
        )
    };
    let at = fault.link.as_ref().map_or(&fault.at, |link| &link.at);
    problems.add(
        at,
        format!("{}.link", fault.field),
        Complaint::new(fact).hint(hint),
    );
}
