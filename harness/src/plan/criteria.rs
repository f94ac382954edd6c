//! This module checks that every expectation can be answered by the run it belongs to.
//!
//! **In:** `[[expect]]` and `[[abort_when]]` entries as typed, the rest of the plan. **Out:** the
//! expectations; a problem for each that no run could answer: it names no fault, it watches a stage
//! that never happens, it ends too soon to be seen.

use std::time::Duration;

use crate::plan::EnvironmentPlan;
use crate::plan::copies;
use crate::plan::part::Part;
use crate::plan::timeline::Placed;
use crate::scenario::expectation::{
    AbortRule, Comparison, Expectation, Outcome, Quantity, TimeKind, When,
};
use crate::scenario::fault::unknown_name_hint;
use crate::scenario::problem::{Complaint, Located, Problems};
use crate::scenario::{Criterion, Patience, unknown_part_hint};
use crate::stage::Stage;
use crate::units;

/// How long answers must be in tolerance before a fault counts as recovered.
const RECOVERY_SPAN_US: u64 = 3_000_000;

/// What the rest of the plan says.
pub(super) struct View<'a> {
    pub environment: &'a EnvironmentPlan,
    /// Length of the load; `None` where it has problems of its own.
    pub load_us: Option<u64>,
    /// Whether any client sends messages.
    pub sends: bool,
    /// Whether what others say in a conversation can be told apart from answers to a client's own.
    pub hears: bool,
    pub faults: &'a [Placed],
    /// Stages of the load with a name; `None` where it has problems of its own.
    pub parts: Option<Vec<Part>>,
}

/// `[[expect]]`.
pub(super) fn resolve(
    criteria: &[Criterion],
    view: &View<'_>,
    problems: &mut Problems,
) -> Vec<Expectation> {
    for criterion in criteria {
        check(criterion, view, problems);
        check_horizon(criterion, view, problems);
    }
    criteria
        .iter()
        .map(|criterion| criterion.expectation.clone())
        .collect()
}

/// `--clients N`: a bound on open sockets keeps its proportion to the clients, rounded down.
pub(super) fn scale<'a>(
    criteria: impl Iterator<Item = &'a mut Expectation>,
    written: u32,
    wanted: u32,
) {
    for expectation in criteria.filter(|expectation| expectation.what == Quantity::PeakOpen) {
        let share = expectation.bound.value / f64::from(written.max(1));
        let scaled = units::rounded((share * f64::from(wanted)).floor());
        expectation.bound.value = scaled as f64;
        expectation.bound_text = scaled.to_string();
    }
}

/// Whether a quantity has no value while the run goes on.
fn is_known_afterwards(what: Quantity) -> bool {
    let service = matches!(
        what,
        Quantity::Latency {
            time: TimeKind::Service,
            ..
        }
    );
    // Who has not heard something may still do so until it leaves.
    let unheard = Quantity::Delivery {
        outcome: Outcome::Unheard,
    };
    service || is_about_faults(what) || what == unheard || matches!(what, Quantity::Server { .. })
}

/// `[[abort_when]]`: the same, of what can be known while the run goes on.
pub(super) fn resolve_aborts(
    criteria: &[Criterion],
    view: &View<'_>,
    problems: &mut Problems,
) -> Vec<AbortRule> {
    for criterion in criteria {
        if !is_known_afterwards(criterion.expectation.what) {
            check(criterion, view, problems);
            check_patience(criterion, view, problems);
            continue;
        }
        let complaint = Complaint::new("is known only when the run is over").hint(
            "use [[expect]] for it; abort on a latency, a count of messages, or failed clients",
        );
        problems.add(
            &criterion.what_at,
            format!("{}.what", criterion.field),
            complaint,
        );
    }
    criteria.iter().map(rule).collect()
}

fn rule(criterion: &Criterion) -> AbortRule {
    let time = |typed: &Option<Located<Duration>>| {
        typed.as_ref().map_or(0, |typed| units::us(typed.value))
    };
    let patience = &criterion.patience;
    let least = criterion.expectation.what.acts_on();
    AbortRule {
        expectation: criterion.expectation.clone(),
        after_us: time(&patience.after),
        for_us: time(&patience.lasting),
        min_samples: patience
            .min_samples
            .as_ref()
            .map_or(least, |typed| typed.value),
    }
}

/// A rule is looked at, can hold as long as it must, and asks for answers that there are.
fn check_patience(criterion: &Criterion, view: &View<'_>, problems: &mut Problems) {
    let Patience {
        after,
        lasting,
        min_samples,
    } = &criterion.patience;
    let after_us = after.as_ref().map_or(0, |typed| units::us(typed.value));
    let (what, from_us, end_us) = view.stretch(&criterion.expectation.when);
    if let (Some(after), Some(end_us)) = (after, end_us)
        && after_us >= end_us
    {
        let fact = format!(
            "is never looked at: {what} ends at {}",
            units::print_us(end_us)
        );
        let complaint = Complaint::new(fact).hint("look earlier, or hold the load longer");
        problems.add(&after.at, format!("{}.after", criterion.field), complaint);
    } else if let (Some(lasting), Some(end_us)) = (lasting, end_us)
        && after_us
            .max(from_us)
            .saturating_add(units::us(lasting.value))
            >= end_us
    {
        let fact = format!(
            "cannot last that long: {what} ends at {}",
            units::print_us(end_us)
        );
        let complaint = Complaint::new(fact).hint("shorten it, or hold the load longer");
        problems.add(&lasting.at, format!("{}.for", criterion.field), complaint);
    }
    let Some(asked) = min_samples else { return };
    let complaint = match criterion.expectation.what {
        Quantity::Latency { statistic, .. } if asked.value >= statistic.needs() => return,
        Quantity::Latency { statistic, .. } => {
            let (name, needed) = (statistic.name(), statistic.needs());
            Complaint::new(format!(
                "a {name} needs {needed} answers, found {}",
                asked.value
            ))
            .hint("ask for at least as many, or leave it out")
        }
        what => Complaint::new(format!("`{}` is counted, not timed", what.text()))
            .hint("leave it out: it belongs to a latency"),
    };
    let field = format!("{}.min_samples", criterion.field);
    problems.add(&asked.at, field, complaint);
}

const fn is_about_faults(what: Quantity) -> bool {
    matches!(
        what,
        Quantity::Impact | Quantity::Detect | Quantity::Recovery | Quantity::BacklogDrain
    )
}

impl<'a> View<'a> {
    /// The faults that begin and end within the run.
    fn events(&self) -> impl Iterator<Item = &'a Placed> + use<'a> {
        self.faults.iter().filter(|fault| !fault.planned.condition)
    }

    /// What a rule can be looked at in: its name, where it begins, and where it ends if that is known.
    fn stretch(&self, when: &When) -> (String, u64, Option<u64>) {
        let whole = ("the load".to_owned(), 0, self.load_us);
        let When::Stage { name } = when else {
            return whole;
        };
        let mut parts = self.parts.iter().flatten();
        let part = parts.find(|part| part.name == *name);
        part.map_or(whole, |part| (name.clone(), part.from_us, Some(part.to_us)))
    }
}

fn check(criterion: &Criterion, view: &View<'_>, problems: &mut Problems) {
    let Expectation { what, when, .. } = &criterion.expectation;
    if let When::During { fault } = when
        && let Some(complaint) = no_window(fault, view)
    {
        problems.add(
            &criterion.when_at,
            format!("{}.when", criterion.field),
            complaint,
        );
    }
    if let When::Stage { name } = when
        && let Some(complaint) = no_stage(name, view)
    {
        let field = format!("{}.when", criterion.field);
        problems.add(&criterion.when_at, field, complaint);
    }
    let at = &criterion.what_at;
    let field = || format!("{}.what", criterion.field);
    if is_about_faults(*what) {
        if view.events().next().is_none() {
            let complaint = Complaint::new("there is no fault in this scenario that ends")
                .hint("add a [[fault]] with `for`, or take the entry out");
            problems.add(at, field(), complaint);
        }
        if matches!(when, When::OutsideFaults | When::Ramp | When::Stage { .. }) {
            let complaint = Complaint::new("belongs to a fault, not to this part of the run").hint(
                "leave `when` out for the worst of all faults, or write when = \"during NAME\"",
            );
            problems.add(
                &criterion.when_at,
                format!("{}.when", criterion.field),
                complaint,
            );
        }
    }
    if copies::is_about(*what) && !view.hears {
        let fact = "no client hears what others say, as far as the scenario says";
        let hint = "name the room where the server is told it ({group} in a template of [target]), with `matching = \"id\"`; or write session = { conversation = \"group\" }";
        problems.add(at, field(), Complaint::new(fact).hint(hint));
    }
    let whole = matches!(what, Quantity::PeakOpen | Quantity::Server { .. });
    if whole && *when != When::WholeRun {
        let complaint = Complaint::new("is known for the whole run only").hint("leave `when` out");
        problems.add(
            &criterion.when_at,
            format!("{}.when", criterion.field),
            complaint,
        );
    }
    if let Quantity::Latency { stage, time, .. } = *what {
        if let Some(complaint) = silent(stage, view) {
            problems.add(at, field(), complaint);
        }
        let windowed = *when != When::WholeRun && stage != Stage::Token;
        if time == TimeKind::Service && windowed {
            let complaint = Complaint::new(format!(
                "service times of `{}` are kept for the whole run only",
                stage.name()
            ))
            .hint("leave `when` out, or `service`: response times are kept for every part");
            problems.add(at, field(), complaint);
        }
    }
}

/// Why a part of the run cannot be named after this fault, if it cannot.
fn no_window(fault: &str, view: &View<'_>) -> Option<Complaint> {
    let mut placed = view.faults.iter();
    match placed.find(|placed| placed.planned.name == fault) {
        Some(placed) if placed.planned.condition => {
            let fact =
                format!("\"{fault}\" lasts to the end of the load and has no part of its own");
            let hint = "write when = \"whole run\", or give the fault a `for`";
            Some(Complaint::new(fact).hint(hint))
        }
        Some(_) => None,
        None => {
            let names = view
                .faults
                .iter()
                .map(|placed| placed.planned.name.as_str());
            let hint = unknown_name_hint(fault, &names.collect::<Vec<_>>());
            Some(Complaint::new(format!("no fault is called \"{fault}\"")).hint(hint))
        }
    }
}

/// Why no stage has that name; `None` too where it is not known which there are.
fn no_stage(name: &str, view: &View<'_>) -> Option<Complaint> {
    let parts = view.parts.as_ref()?;
    if parts.iter().any(|part| part.name == name) {
        return None;
    }
    let stages: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let hint = unknown_part_hint(name, &stages);
    Some(Complaint::new(format!("no stage is called \"{name}\"")).hint(hint))
}

/// Why a stage never happens in this run, if it does not.
fn silent(stage: Stage, view: &View<'_>) -> Option<Complaint> {
    let name = stage.name();
    let target = view.environment.target.as_deref();
    let (fact, hint) = match stage {
        Stage::Token
        | Stage::Tcp
        | Stage::Upgrade
        | Stage::SessionReady
        | Stage::Heartbeat
        | Stage::Reconnect
        | Stage::Silence => {
            return None;
        }
        Stage::Tls => {
            if target.is_some_and(|url| url.starts_with("wss://") || url.starts_with("https://")) {
                return None;
            }
            (
                "nothing is encrypted",
                "it is measured only against a `target` with wss://",
            )
        }
        Stage::TaskQueued | Stage::FirstChunk | Stage::Complete | Stage::FanOut => {
            if view.sends {
                return None;
            }
            (
                "no client of the mix sends messages",
                "add `chatter` to load.mix",
            )
        }
    };
    Some(Complaint::new(format!("`{name}` never happens: {fact}")).hint(hint))
}

/// Recovery takes time to be seen: the load must go on for the bound and the span behind it.
fn check_horizon(criterion: &Criterion, view: &View<'_>, problems: &mut Problems) {
    let Expectation {
        what, when, bound, ..
    } = &criterion.expectation;
    let Some(load_us) = view.load_us.filter(|_| *what == Quantity::Recovery) else {
        return;
    };
    if !matches!(bound.comparison, Comparison::Under | Comparison::AtMost) {
        return;
    }
    if !view.sends {
        let complaint =
            Complaint::new("recovery shows in answers, and no client of the mix sends messages");
        problems.add(
            &criterion.what_at,
            format!("{}.what", criterion.field),
            complaint.hint("add `chatter` to load.mix"),
        );
        return;
    }
    let needed_us = units::rounded(bound.value).saturating_add(RECOVERY_SPAN_US);
    for fault in view.events().filter(|fault| fault.timed) {
        let concerned = match when {
            When::During { fault: name } => *name == fault.planned.name,
            When::WholeRun | When::OutsideFaults | When::Ramp => true,
            When::Stage { .. } => false,
        };
        let end_us = fault.planned.at_us + fault.planned.for_us;
        let left_us = load_us.saturating_sub(end_us);
        // A fault past the end of the load is a problem of its own.
        if concerned && end_us <= load_us && left_us < needed_us {
            let fact = format!(
                "cannot be seen: the load ends {} after \"{}\", and {} are needed (the bound and 3s of good answers)",
                units::print_us(left_us),
                fault.planned.name,
                units::print_us(needed_us)
            );
            let complaint =
                Complaint::new(fact).hint("hold the load longer, or let the fault come earlier");
            problems.add(&criterion.what_at, criterion.field.clone(), complaint);
        }
    }
}
