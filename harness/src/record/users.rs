//! This module holds what the user layer counted by itself, to be held against the recorder.
//!
//! **In:** the load generator's own metrics at the end of a run. **Out:** plain counts.

use std::collections::BTreeMap;

/// The user layer's account of its HTTP requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserCounts {
    /// Users it launched.
    pub users: u64,
    /// By request name (`login`, `token`).
    pub requests: BTreeMap<String, RequestCounts>,
}

/// Requests of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestCounts {
    pub ok: u64,
    pub failed: u64,
}
