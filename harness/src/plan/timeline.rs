//! This module lays the faults out in time.
//!
//! **In:** `[[fault]]` entries as typed, the length of the load, the environment. **Out:** named
//! windows in order of time; a problem for each that cannot take place: past the end of the load, on
//! a link or process that is not there, or in the way of another.
//!
//! **Units:** `*_us` are microseconds from load start.

use std::collections::BTreeSet;

use crate::plan::{EnvironmentPlan, FaultKind, PlannedFault, RedisPlan};
use crate::scenario::fault::{Action, Fault, Link};
use crate::scenario::problem::{Complaint, Place, Problems};
use crate::units;

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
        let kind = kind(fault);
        let (start, length) = (fault.start.as_ref(), fault.length.as_ref());
        let timed = start.is_some() && length.is_some() && kind.is_some();
        if let (Some(start), Some(length), Some(load_us)) = (start, length, load_us) {
            check_end(
                fault,
                units::us(start.value),
                units::us(length.value),
                load_us,
                problems,
            );
        }
        placed.push(Placed {
            planned: PlannedFault {
                name,
                at_us: start.map_or(0, |start| units::us(start.value)),
                for_us: length.map_or(0, |length| units::us(length.value)),
                // A fault without a kind is a problem already: no plan comes of it.
                kind: kind.unwrap_or(FaultKind::RedisPause),
                line: fault.at.line(),
            },
            timed,
            at: fault.at.clone(),
            field: fault.field.clone(),
        });
    }
    placed.sort_by_key(|fault| fault.planned.at_us);
    check_overlaps(&placed, problems);
    placed
}

fn kind(fault: &Fault) -> Option<FaultKind> {
    let link = fault.link.as_ref().map(|link| link.value);
    Some(match fault.action? {
        Action::Down => FaultKind::Down { link: link? },
        Action::Latency { latency, jitter } => FaultKind::Latency {
            link: link?,
            latency_us: units::us(latency),
            jitter_us: units::us(jitter),
        },
        Action::Timeout { timeout } => FaultKind::Timeout {
            link: link?,
            timeout_us: units::us(timeout),
        },
        Action::ResetPeer { timeout } => FaultKind::ResetPeer {
            link: link?,
            timeout_us: units::us(timeout),
        },
        Action::RedisKill => FaultKind::RedisKill,
        Action::RedisPause => FaultKind::RedisPause,
        Action::RedisRestart => FaultKind::RedisRestart,
    })
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
    let kind = fault.action.map_or("fault", Action::name);
    let name = match &fault.link {
        Some(link) => format!("{}-{kind}", link.value.name()),
        None => kind.to_owned(),
    };
    name.replace(['.', '_'], "-")
}

fn check_end(fault: &Fault, at_us: u64, for_us: u64, load_us: u64, problems: &mut Problems) {
    let load_end = units::print_us(load_us);
    if at_us >= load_us {
        let fact = format!(
            "starts at {}, but the load ends at {load_end}",
            units::print_us(at_us)
        );
        let at = fault.start.as_ref().map_or(&fault.at, |start| &start.at);
        problems.add(
            at,
            format!("{}.at", fault.field),
            Complaint::new(fact).hint("start it earlier, or hold the load longer"),
        );
    } else if at_us + for_us > load_us {
        let fact = format!(
            "ends at {}, past the end of the load at {load_end}",
            units::print_us(at_us + for_us)
        );
        let at = fault.length.as_ref().map_or(&fault.at, |length| &length.at);
        problems.add(
            at,
            format!("{}.for", fault.field),
            Complaint::new(fact).hint("shorten it, or hold the load longer"),
        );
    }
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
    match (one, other) {
        (FaultKind::Down { link: one }, FaultKind::Down { link: other }) => {
            one.covers(other) || other.covers(one)
        }
        (one, other) => one.link().is_none() && other.link().is_none(),
    }
}

impl FaultKind {
    /// The link a fault acts on; `None` for faults of the Redis process.
    pub(crate) const fn link(self) -> Option<Link> {
        match self {
            Self::Down { link }
            | Self::Latency { link, .. }
            | Self::Timeout { link, .. }
            | Self::ResetPeer { link, .. } => Some(link),
            Self::RedisKill | Self::RedisPause | Self::RedisRestart => None,
        }
    }
}

/// Whether each fault acts on something that is there.
pub(super) fn check_reach(
    faults: &[Fault],
    environment: &EnvironmentPlan,
    problems: &mut Problems,
) {
    for fault in faults {
        let on_process = matches!(
            fault.action,
            Some(Action::RedisKill | Action::RedisPause | Action::RedisRestart)
        );
        if on_process && environment.redis != RedisPlan::Private {
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
        if let Some(link) = &fault.link {
            check_link(fault, link.value, environment, problems);
        }
    }
}

fn check_link(fault: &Fault, link: Link, environment: &EnvironmentPlan, problems: &mut Problems) {
    if environment
        .proxies
        .iter()
        .any(|proxied| proxied.covers(link))
    {
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
