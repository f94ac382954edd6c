//! This module gives a plan a name that changes with its content.
//!
//! **In:** a plan. **Out:** SHA-256 of its JSON, hexadecimal. Where the scenario lies and on which
//! lines its parts stand does not count: two checkouts have the same plan. Nor does
//! how many processes drive it, for all of them together send what one would.

use sha2::{Digest, Sha256};

use crate::plan::Plan;

/// The plan's hash: 64 hexadecimal digits.
///
/// The JSON is canonical by construction: fields stand in the order of their declaration, maps are
/// sorted, and a float has one shortest form.
pub(crate) fn hash(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.scenario.clear();
    // What the limits of a machine ask for is no part of what happens.
    plan.load.shards = None;
    plan.environment.server.exact = false;
    plan.faults.iter_mut().for_each(|fault| fault.line = 0);
    let rules = plan.abort_when.iter_mut();
    let rules = rules.map(|rule| &mut rule.expectation);
    let criteria = plan.expect.iter_mut().chain(rules);
    criteria.for_each(|expectation| expectation.line = 0);
    // A plan has no map with keys that are not texts: it cannot fail to become JSON.
    sha256(&serde_json::to_vec(&plan).unwrap_or_default())
}

/// SHA-256, as 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16));
        hex.extend(digits.into_iter().flatten());
    }
    hex
}
