//! This module is a plan on its way to the shards that a scheduler starts: everything they need but secrets, in a folder.
//!
//! **In:** a resolved plan, and the files it names. **Out:** [`Bundle`], whose JSON is the same for the same input.
//! Secrets stay names (`${env:NAME}`): each shard finds them in its own environment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Plan;
use super::hash::{hash, sha256};

/// What the file is.
pub(crate) const SCHEMA: &str = "harness.bundle/1";
/// Its name in the folder.
pub(crate) const BUNDLE_FILE: &str = "bundle.json";

/// A plan and what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bundle {
    pub schema: String,
    /// The version that made it.
    pub harness_version: String,
    /// Into how many parts the load is cut.
    pub shards: u16,
    pub plan_hash: String,
    pub plan: Plan,
    /// SHA-256 of each file that the plan names; they lie beside the bundle under these paths.
    pub files: BTreeMap<String, String>,
}

impl Bundle {
    /// Of a plan whose files hold that.
    pub(crate) fn new(plan: Plan, shards: u16, files: &BTreeMap<String, Vec<u8>>) -> Self {
        let files = files.iter();
        Self {
            schema: SCHEMA.to_owned(),
            harness_version: env!("CARGO_PKG_VERSION").to_owned(),
            shards,
            plan_hash: hash(&plan),
            files: files
                .map(|(path, content)| (path.clone(), sha256(content)))
                .collect(),
            plan,
        }
    }

    /// As it is written.
    pub(crate) fn json(&self) -> Vec<u8> {
        // A plan has no map with keys that are not texts: it cannot fail to become JSON.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// The files that a plan names, relative to the folder in which it is run.
pub(crate) fn files(plan: &Plan) -> Vec<&str> {
    let authorities = plan.environment.tls.ca.as_deref();
    let payloads = plan.load.payloads.as_deref();
    let users = plan.environment.users.file.as_deref();
    [payloads, users, authorities]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    #[test]
    fn the_same_input_gives_the_same_bytes_and_comes_back() {
        let text =
            "# Why?\ntitle = \"t\"\n[load]\nclients = 8\nhold = \"3s\"\npayloads = \"q.txt\"\n";
        let bundle = || {
            let plan = compile("t.toml", text, &Overrides::default()).unwrap();
            assert_eq!(files(&plan), ["q.txt"]);
            Bundle::new(plan, 4, &[("q.txt".to_owned(), b"why?\n".to_vec())].into())
        };
        let json = bundle().json();
        assert_eq!(json, bundle().json());
        let read: Bundle = serde_json::from_slice(&json).unwrap();
        assert_eq!(read, bundle());
        assert_eq!(hash(&read.plan), read.plan_hash);
    }
}
