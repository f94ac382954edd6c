//! This module is the answer of an audit as it is saved (`audit.json`): a verdict for every known failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::known::Known;

/// What the file is.
pub(crate) const SCHEMA: &str = "harness.audit/1";

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Audit {
    /// [`SCHEMA`].
    pub schema: String,
    pub title: String,
    /// The command that does it again.
    pub command: String,
    /// `None`: the audit started the server.
    pub target: Option<String>,
    pub harness_version: String,
    /// One sentence.
    pub sentence: String,
    /// Exit code of `harness audit`.
    pub exit_code: u8,
    /// Every known failure, in the order of the table.
    pub rows: Vec<Row>,
    /// The runs, in the order in which they were done.
    pub phases: Vec<PhaseAccount>,
}

/// A known failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Row {
    /// Its number in the table of the contract, from 1.
    pub row: u8,
    pub name: Known,
    pub verdict: Verdict,
    /// What was seen, or why nothing could be.
    pub proof: String,
    /// What saw it: a phase and its check, or `doctor`; empty where nothing did.
    pub by: String,
    /// Others that broke, from which this follows or may follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows_from: Vec<Known>,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The service has it.
    Broke,
    /// It was put to the test, and nothing can be said.
    Inconclusive,
    /// It was put to the test, and the service does not show it.
    Held,
    /// It cannot be put to the test here.
    Untried,
}

/// A run of an audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PhaseAccount {
    pub name: String,
    /// Folder below that of the audit, where there was a run.
    pub folder: Option<String>,
    /// Exit code of the run.
    pub exit_code: Option<u8>,
    /// What the run said in one sentence, or why there was none.
    pub sentence: String,
}

impl Audit {
    /// How many rows have that verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        count(&self.rows, verdict)
    }
}

/// How many of them have that verdict.
pub(super) fn count(rows: &[Row], verdict: Verdict) -> usize {
    rows.iter().filter(|row| row.verdict == verdict).count()
}
