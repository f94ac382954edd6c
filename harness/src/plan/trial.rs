//! This module names the trials of a plan.
//!
//! **In:** `[[trial]]` entries as typed. **Out:** [`TrialPlan`]s, each with a name of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::trial::{Trial, TrialKind};
use crate::units;

/// An experiment that is repeated beside the load, from its start to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TrialPlan {
    pub name: String,
    #[serde(flatten)]
    pub kind: TrialKind,
    /// Experiments under way at once, each with an account of its own, after those of the clients.
    pub at_once: u16,
    /// Pause between two experiments of one account.
    pub every_us: u64,
    /// Experiments with a clear outcome that a run must have to say anything.
    pub least: u64,
}

/// The trials with their names; a name that is there twice is a problem.
pub(super) fn resolve(trials: &[Trial], attached: bool, problems: &mut Problems) -> Vec<TrialPlan> {
    let mut plans: Vec<TrialPlan> = Vec::with_capacity(trials.len());
    for trial in trials {
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
        if attached && kind == TrialKind::TokenLog {
            let fact = "reads the log of a server that the run starts, and this one attaches";
            let complaint = Complaint::new(fact).hint("take the trial out, or leave `target` out");
            problems.add(&trial.at, format!("{}.kind", trial.field), complaint);
        }
        plans.push(TrialPlan {
            name,
            kind,
            at_once: trial.at_once,
            every_us: units::us(trial.every),
            least: trial.least,
        });
    }
    plans
}
