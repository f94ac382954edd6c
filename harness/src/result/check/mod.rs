//! This module holds a run to what it must satisfy, one check a file.
//!
//! **In:** a [`RunResult`], as saved. **Out:** [`CheckResult`]s and [`ExpectationResult`]s; the
//! verdict counts them. Nothing here reads facts that the result does not hold, so an old run can
//! be judged again.
//!
//! [`RunResult`]: super::RunResult
//! [`CheckResult`]: super::CheckResult
//! [`ExpectationResult`]: super::ExpectationResult

pub(super) mod delivery;
pub(super) mod expectation;
pub(super) mod validity;

use super::{CheckGroup, CheckResult, CheckStatus};

/// A check of that group, held or broken.
fn check(group: CheckGroup, name: &str, held: bool, text: Texts) -> CheckResult {
    CheckResult {
        name: name.to_owned(),
        group,
        status: if held {
            CheckStatus::Held
        } else {
            CheckStatus::Broke
        },
        observed: text.observed,
        bound: text.bound,
        finding: text.finding,
    }
}

/// What a check says.
struct Texts {
    observed: String,
    bound: String,
    finding: String,
}
