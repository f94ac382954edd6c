//! This module holds what the user layer counted by itself, to be held against the recorder.
//!
//! **In:** the load generator's own metrics at the end of a run. **Out:** plain counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// goose's own metrics, to be held against ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GooseCounts {
    pub users: u64,
    /// By request name: ok and failed.
    pub requests: BTreeMap<String, GooseRequest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GooseRequest {
    pub ok: u64,
    pub failed: u64,
}
