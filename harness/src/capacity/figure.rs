//! This module is a number of the outlook, with where it is from.
//!
//! **Units:** as each says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Figure {
    pub name: String,
    pub value: f64,
    /// With its unit, for people.
    pub text: String,
    pub basis: Basis,
    /// How it was come by, in a sentence.
    pub how: String,
    /// The folder of the run that showed it, where it was one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Where a number is from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Basis {
    /// A probe showed it.
    Measured,
    /// A line through probes, within what was measured.
    Modelled,
    /// Beyond what was measured: so many times the largest load that held.
    Extrapolated { reach: f64 },
}
