//! This module is what a run is judged to be: its verdict, and every check and expectation behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::known::Known;
use crate::scenario::expectation::Expectation;
use crate::units::Unit;

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Verdict {
    pub status: Status,
    /// One or two sentences a manager can repeat: what broke, by how much, against which limit.
    pub sentence: String,
    /// What else applies, in the same form ("42 lost").
    pub also: Vec<String>,
    /// Whether the numbers can be trusted, in one sentence.
    pub trust: String,
    /// Finding per line, for the "what broke" and "what held" cards.
    pub broke: Vec<String>,
    pub held: Vec<String>,
    /// Seen in a run that is not valid, by what may have caused it: not to be trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// What could not be judged, and what to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Pass,
    Fail,
    Invalid,
    #[default]
    Inconclusive,
    Interrupted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ExpectationResult {
    pub expectation: Expectation,
    /// `complete p99`, as a reader wants it.
    pub name: String,
    /// `outside faults`, `during redis-down`, …
    pub when: String,
    pub status: CheckStatus,
    /// In the unit of the bound; `None` without samples, or censored.
    pub observed: Option<f64>,
    /// What the observation is: decides how it is printed.
    pub unit: Unit,
    /// Set when the event had not come by the end of the run: observed is more than this.
    pub beyond_us: Option<u64>,
    /// What was timed (a latency), sent (messages), opened (sockets), planned (clients) or healed (faults) where it
    /// was looked for, whether that is enough or not.
    pub samples: u64,
    /// Set for what is found to this step only: less of it reads `< 250 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_us: Option<u64>,
    /// Observed ÷ limit, where that means something.
    pub used_ratio: Option<f64>,
    /// A sentence on the finding, for the second line of its row.
    pub finding: String,
    /// The known failures that break it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CheckResult {
    /// `ledger adds up`, `harness lateness`, `every fault confirmed`, …
    pub name: String,
    pub group: CheckGroup,
    pub status: CheckStatus,
    /// What was observed and the bound, as text with units.
    pub observed: String,
    pub bound: String,
    pub finding: String,
    /// The known failures that it looks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckGroup {
    /// Broken: the service did something wrong (exit 14).
    Correctness,
    /// Broken: the service did not do the work that any run is about (exit 10).
    Service,
    /// Broken: the numbers cannot be trusted (exit 13).
    Validity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckStatus {
    Held,
    Broke,
    Inconclusive,
}
