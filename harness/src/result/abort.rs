//! This module holds the end that a rule of the scenario put to a run.
//!
//! **In:** what the guard saw. **Out:** facts of the result; nothing is judged here.
//!
//! **Units:** microseconds since load start; `observed` is in the unit of the rule's bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which rule ended the run, when, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Abort {
    /// Place of the rule in `plan.abort_when`.
    pub rule: usize,
    /// From where on it looked: what it saw was seen between this and `at_us`.
    pub from_us: u64,
    pub at_us: u64,
    /// In the unit of its bound.
    pub observed: f64,
    /// Answers behind a latency; 0 for what is counted.
    pub samples: u64,
    /// All of it in words.
    pub text: String,
}
