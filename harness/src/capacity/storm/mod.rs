//! This module is the storm probe: are the clients back when half of their connections are cut at once?
//!
//! **In:** the plan of the load that held; the result of a run. **Out:** the plan of the storm, and a [`Storm`].
//! **Units:** microseconds.
//!
//! When one of several instances goes, its clients land on those that stay: each of these has many connects at once, on top
//! of what it carries. Of *n* instances that is one client in *n*, so that half is harsher from three instances on.
//!
//! The storm is the load that held with one fault in the middle of its hold: half of the connections between clients and
//! server are reset. Asked is whether everybody who was cut is back in time, and whether anything was lost; what the scenario
//! expects of a calm load (latencies) is not, nor are its own faults and trials part of it. Conditions are: they are the
//! network that the load was measured under.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe;
use super::search::Came;
use crate::format;
use crate::plan::{LoadPlan, LoadStage, Plan, PlannedFault};
use crate::result::RunResult;
use crate::scenario::expectation::{
    Bound, Comparison, Expectation, Quantity, Statistic, TimeKind, When,
};
use crate::scenario::fault::{FaultKind, Link, On, ResetNow, Streams};
use crate::stage::Stage;
use crate::units::{self, US_PER_S};

/// The fault's name, and that of the scenario file and the folder.
pub(crate) const NAME: &str = "storm";
/// Where neither flag nor scenario say how soon clients must be back: the longest they wait between two attempts, and never
/// less or more than that.
const WITHIN_MIN_US: u64 = 5 * US_PER_S;
const WITHIN_MAX_US: u64 = 30 * US_PER_S;
/// What the load goes on beyond the bound: a client that is late by less is seen to be back, and late.
const BEYOND_US: u64 = 5 * US_PER_S;

/// How soon clients must be back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Within {
    pub us: u64,
    /// Who says so.
    pub of: String,
}

/// What became of the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Storm {
    /// In the unit of the axis.
    pub load: u64,
    pub within: Within,
    pub came: Came,
    /// Why, in a sentence.
    pub sentence: String,
    /// Below the folder of the search; empty where no run came to a result.
    pub folder: String,
    pub run: String,
    pub exit_code: u8,
    /// Most clients at once, those that were cut, and those that never came back.
    pub clients: u64,
    pub cut: u64,
    pub failed: u64,
    /// From the cut until the last of those that came back was connected again.
    pub longest_us: Option<u64>,
}

impl Within {
    /// What the flag says, else the scenario, else how long its clients wait between two attempts.
    pub(crate) fn of(flag_us: Option<u64>, plan: &Plan) -> Self {
        if let Some(us) = flag_us {
            return Self {
                us,
                of: "--storm-within".to_owned(),
            };
        }
        let limits = |expectation: &&Expectation| {
            let comparison = expectation.bound.comparison;
            matches!(comparison, Comparison::Under | Comparison::AtMost)
        };
        let expected = plan.expect.iter().filter(limits);
        let ranked =
            expected.filter_map(|expectation| Some((rank(expectation.what)?, expectation)));
        if let Some((_, expectation)) = ranked.min_by_key(|(rank, _)| *rank) {
            return Self {
                us: units::rounded(expectation.bound.value),
                of: format!("the scenario's limit of {}", expectation.what.text()),
            };
        }
        Self {
            us: plan
                .load
                .reconnect
                .cap_us
                .clamp(WITHIN_MIN_US, WITHIN_MAX_US),
            of: "the longest its clients wait between two attempts (load.reconnect.cap), 5 to 30 s"
                .to_owned(),
        }
    }
}

/// How near a limit on a quantity is to one on everybody's way back; `None`: it is none.
const fn rank(what: Quantity) -> Option<u8> {
    match what {
        Quantity::Latency {
            stage: Stage::Reconnect,
            statistic,
            ..
        } => match statistic {
            Statistic::Max => Some(0),
            Statistic::P999 => Some(1),
            Statistic::P99 => Some(2),
            Statistic::P95 | Statistic::P90 | Statistic::P50 | Statistic::Mean => None,
        },
        Quantity::Recovery => Some(3),
        Quantity::Latency { .. }
        | Quantity::Delivery { .. }
        | Quantity::Impact
        | Quantity::Detect
        | Quantity::BacklogDrain
        | Quantity::Closes { .. }
        | Quantity::CutSessions
        | Quantity::FailedClients
        | Quantity::PeakOpen
        | Quantity::Server { .. } => None,
    }
}

/// The plan of the storm, and how long after its start the cut comes.
pub(crate) fn plan(calm: &Plan, within: &Within) -> Plan {
    let (stages, at_us) = stages(&calm.load, within.us);
    let mut plan = calm.clone();
    plan.title = format!("{}-{NAME}", calm.title);
    plan.question = format!(
        "Is everybody back within {} when half of the connections are cut at once?",
        units::print_us(within.us)
    );
    if !plan.environment.proxies.contains(&Link::Edge) {
        plan.environment.proxies.push(Link::Edge);
        plan.environment.proxies.sort_unstable();
    }
    plan.load.stages = stages;
    let length_us = plan.load.load_us();
    plan.trials.clear();
    plan.faults.retain(|fault| fault.condition);
    for condition in &mut plan.faults {
        condition.for_us = length_us.saturating_sub(condition.at_us);
    }
    plan.faults.insert(
        0,
        PlannedFault {
            name: NAME.to_owned(),
            at_us,
            for_us: 0,
            kind: FaultKind::ResetNow(On {
                link: Link::Edge,
                keys: ResetNow::HALF,
            }),
            streams: Streams::Downstream,
            toxicity_ratio: 1.0,
            condition: false,
            line: 0,
        },
    );
    plan.expect.retain(is_of_loss);
    plan.expect.extend(back(&plan, within));
    plan
}

/// Nothing lost, nobody given up: the same in calm and storm.
fn is_of_loss(expectation: &Expectation) -> bool {
    let is_asked = match expectation.what {
        Quantity::Delivery { outcome } => outcome.is_promise(),
        Quantity::FailedClients => true,
        Quantity::Latency { .. }
        | Quantity::Impact
        | Quantity::Detect
        | Quantity::Recovery
        | Quantity::BacklogDrain
        | Quantity::Closes { .. }
        | Quantity::CutSessions
        | Quantity::PeakOpen
        | Quantity::Server { .. } => false,
    };
    is_asked && matches!(expectation.when, When::WholeRun | When::OutsideFaults)
}

/// That everybody comes back, and in time.
fn back(plan: &Plan, within: &Within) -> Vec<Expectation> {
    let expected = |what: Quantity, comparison: Comparison, value: f64| Expectation {
        what,
        when: When::WholeRun,
        bound: Bound { comparison, value },
        bound_text: String::new(),
        line: 0,
    };
    let reconnect = Quantity::Latency {
        stage: Stage::Reconnect,
        statistic: Statistic::Max,
        time: TimeKind::Response,
    };
    let mut all = vec![expected(reconnect, Comparison::AtMost, within.us as f64)];
    let is_of_failed = |expectation: &Expectation| expectation.what == Quantity::FailedClients;
    if !plan.expect.iter().any(is_of_failed) {
        all.push(expected(Quantity::FailedClients, Comparison::Equals, 0.0));
    }
    all
}

/// The load up to its longest hold of all clients, which is long enough for everybody to be back; and the middle of it.
fn stages(load: &LoadPlan, within_us: u64) -> (Vec<LoadStage>, u64) {
    let most = load.clients;
    let is_hold = |stage: &LoadStage| stage.from == most && stage.to == most;
    let holds = load.stages.iter().enumerate();
    let longest = holds
        .filter(|(_, stage)| is_hold(stage))
        .max_by_key(|(_, stage)| stage.length_us);
    let (before, hold_us) = longest.map_or_else(
        || {
            // Nobody holds it: from the moment at which all are there.
            let mut ramps = load.stages.iter();
            let full = ramps.position(|stage| stage.to == most);
            (full.map_or(load.stages.len(), |place| place + 1), 0)
        },
        |(place, hold)| (place, hold.length_us),
    );
    let mut stages: Vec<LoadStage> = load.stages.iter().take(before).copied().collect();
    let start_us = stages.iter().map(|stage| stage.length_us).sum();
    let half_us = (hold_us / 2).max(US_PER_S);
    stages.push(LoadStage {
        start_us,
        length_us: half_us + half_us.max(within_us + BEYOND_US),
        from: most,
        to: most,
    });
    (stages, start_us + half_us)
}

impl Storm {
    /// What a run says.
    pub(crate) fn of(result: &RunResult, load: u64, within: Within) -> Self {
        let (came, sentence) = probe::came(result, None, None);
        let reconnect = result.latency.get(Stage::Reconnect.name());
        let reconnect = reconnect.and_then(|stage| stage.response);
        let mut faults = result.faults.iter();
        Self {
            load,
            within,
            came,
            sentence,
            folder: NAME.to_owned(),
            run: result.run.id.clone(),
            exit_code: result.exit_code,
            clients: result.clients.peak_open,
            cut: faults
                .find(|fault| fault.name == NAME)
                .map_or(0, |fault| fault.cut),
            failed: result.clients.failed,
            longest_us: reconnect.map(|summary| summary.max_us),
        }
    }

    /// Where no run came to a result.
    pub(crate) fn without(load: u64, within: Within, sentence: String) -> Self {
        Self {
            load,
            within,
            came: Came::Unclear,
            sentence,
            folder: String::new(),
            run: String::new(),
            exit_code: 0,
            clients: 0,
            cut: 0,
            failed: 0,
            longest_us: None,
        }
    }

    /// It says what becomes of that load and that limit.
    pub(crate) fn says(&self, load: u64, within: &Within) -> bool {
        let is_clear = matches!(self.came, Came::Held | Came::Broke);
        is_clear && self.load == load && self.within == *within
    }

    /// Everybody is back in time, whatever else broke.
    fn is_everybody_back(&self) -> bool {
        let in_time = self.longest_us.is_some_and(|us| us <= self.within.us);
        self.failed == 0 && in_time
    }

    /// What came of it: of clients, where it could be told.
    pub(crate) fn text(&self) -> String {
        let clients = format::count(self.clients);
        let within = format::round_duration(self.within.us as f64);
        let longest = self.longest_us.map_or_else(String::new, format::duration);
        match self.came {
            Came::Held => format!("half of {clients} clients back within {longest}"),
            Came::Broke if self.is_everybody_back() => {
                format!("half of {clients} clients back within {longest}, and yet it broke")
            }
            Came::Broke => format!("half of {clients} clients not all back within {within}"),
            Came::Full | Came::Unclear => "could not be told".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
