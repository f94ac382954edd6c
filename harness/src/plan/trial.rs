//! This module names the trials of a plan.
//!
//! **In:** the scenario as typed. **Out:** [`TrialPlan`]s, each with a name of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::ScenarioFile;
use crate::scenario::expectation::Quantity;
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::trial::{Need, TrialKind};
use crate::units;

/// Accounts of one experiment: a people chat full (wire contract, "People chats").
pub(crate) const CREW_SIZE: u32 = 10;

/// An experiment that is repeated beside the load, from its start to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TrialPlan {
    pub name: String,
    #[serde(flatten)]
    pub kind: TrialKind,
    /// Experiments under way at once, each with an account of its own, after those of the clients.
    #[serde(rename = "at_once")]
    pub concurrency: u16,
    /// Pause between two experiments of one account.
    #[serde(rename = "every_us")]
    pub interval_us: u64,
    /// Experiments with a clear outcome that a run must have to say anything.
    #[serde(rename = "least")]
    pub min_samples: u64,
}

/// The trials with their names; a name that is there twice is a problem.
pub(super) fn resolve(file: &ScenarioFile, problems: &mut Problems) -> Vec<TrialPlan> {
    let mut plans: Vec<TrialPlan> = Vec::with_capacity(file.trials.len());
    for trial in &file.trials {
        // Without a kind it is a problem already.
        let Some(kind) = trial.kind else { continue };
        let name = match &trial.name {
            Some(name) => name.value.clone(),
            None => kind.name().to_owned(),
        };
        if plans.iter().any(|plan| plan.name == name) {
            let complaint = Complaint::new(format!("another trial is called \"{name}\" already"))
                .hint("give it a name of its own: name = \"...\"");
            let at = trial.name.as_ref().map_or(&trial.at, |name| &name.at);
            problems.add(at, format!("{}.name", trial.field), complaint);
        }
        if let Some((fact, hint)) = impossible(kind, file) {
            let field = format!("{}.kind", trial.field);
            problems.add(&trial.at, field, Complaint::new(fact).hint(hint));
        }
        plans.push(TrialPlan {
            name,
            kind,
            concurrency: trial.concurrency,
            interval_us: units::us(trial.interval),
            min_samples: trial.min_samples,
        });
    }
    plans
}

/// Why it cannot be tried in this scenario, if it cannot.
fn impossible(kind: TrialKind, file: &ScenarioFile) -> Option<(&'static str, &'static str)> {
    let (environment, needs) = (&file.environment, kind.needs());
    // Elsewhere the clients' own groups are the chats.
    let of_people = needs.contains(&Need::PeopleChat) && file.dialect.is_none();
    let mut expected = file.expect.iter();
    if environment.attached && needs.contains(&Need::ServerLog) {
        let fact = "reads the log of a server that the run starts, and this one attaches";
        return Some((fact, "take the trial out, or leave `target` out"));
    }
    if of_people && environment.users_file.is_some() {
        let fact = "needs to know whose chats are whose, and accounts of a file do not tell";
        return Some((fact, "take the trial out, or users.file"));
    }
    if of_people && environment.settings.contains_key("participants") {
        let fact = "counts on ten participants a chat";
        return Some((fact, "take the trial out, or the setting `participants`"));
    }
    let counted = |what: Quantity| {
        let Quantity::Server { count } = what else {
            return false;
        };
        count.about().of_clients
    };
    if expected.any(|criterion| counted(criterion.expectation.what)) {
        let fact = "opens sockets and tries dead tokens, and the server's counts are expected to be the clients' alone";
        return Some((
            fact,
            "take the trial out, or the expectations on the server's counts",
        ));
    }
    None
}
