//! This module is what a search was asked: it is written down, so that a search can be gone on with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::scale_out::Together;
use super::search::Bounds;
use crate::result::Host;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Question {
    pub title: String,
    /// Path of the scenario, as it was given.
    pub scenario: String,
    /// What was loaded, in words.
    pub target: String,
    /// Instances of the server that the run starts.
    #[serde(default = "one")]
    pub instances: u16,
    /// What other numbers of instances take together, by earlier answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Together>,
    pub axis: Axis,
    pub bounds: Bounds,
    /// What must hold, in words.
    pub expected: Vec<String>,
    /// The command that repeats it.
    pub command: String,
    /// SHA-256 of the scenario's plan, hexadecimal.
    pub plan_hash: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub harness_version: String,
    pub want: Option<u64>,
    pub spare: u64,
    pub price_per_hour: Option<f64>,
    /// The machine of the generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// SHA-256 of the server that is started, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_sha256: Option<String>,
}

const fn one() -> u16 {
    1
}
