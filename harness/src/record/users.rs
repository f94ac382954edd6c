//! This module holds what the user layer counted by itself, to be held against the recorder.
//!
//! **In:** the load generator's own metrics at the end of a run. **Out:** plain counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// goose's own metrics, to be held against ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GooseCounts {
    /// Those that asked: as many as clients at once, or as may ask at once in a process where that is less.
    pub users: u64,
    /// By request name: ok and failed.
    pub requests: BTreeMap<String, GooseRequest>,
}

impl GooseCounts {
    /// Adds those of another process.
    pub(crate) fn merge(&mut self, other: Self) {
        self.users += other.users;
        for (name, request) in other.requests {
            let mine = self.requests.entry(name).or_default();
            mine.ok += request.ok;
            mine.failed += request.failed;
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GooseRequest {
    pub ok: u64,
    pub failed: u64,
}
