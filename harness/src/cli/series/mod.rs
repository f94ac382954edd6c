//! This module does a run several times: `harness run --repeat`, and the sides of `harness ab`.
//!
//! **In:** the arguments of one run, a folder. **Out:** a folder each run below it, complete as if it were the only one,
//! and [`OneRun`] of each.

pub(super) mod child;
pub(super) mod place;
pub(super) mod repeat;
pub(super) mod table;

use std::path::PathBuf;

use crate::exit::Exit;
use crate::gate::facts::RunFacts;

/// One run of several.
#[derive(Debug)]
pub(super) struct OneRun {
    /// Of its folder.
    pub name: String,
    pub folder: PathBuf,
    pub exit: Exit,
    /// `None`: it left no result.
    pub facts: Option<RunFacts>,
}

/// `run-007`: by name in the order in which they were done.
pub(super) fn name(number: usize) -> String {
    format!("run-{number:03}")
}

/// The worst of several ends, by the same order as within a run. A run that an interruption or a missing environment kept
/// from its result says least of all, so it comes first; an invalid run says nothing of a promise that a valid one broke.
pub(super) fn worst(ends: impl Iterator<Item = Exit>) -> Exit {
    const ORDER: [Exit; 11] = [
        Exit::Interrupted,
        Exit::Bug,
        Exit::Usage,
        Exit::Environment,
        Exit::Storage,
        Exit::Incorrect,
        Exit::Invalid,
        Exit::Regression,
        Exit::Threshold,
        Exit::Inconclusive,
        Exit::Pass,
    ];
    let ends: Vec<Exit> = ends.collect();
    let mut order = ORDER.into_iter();
    order.find(|end| ends.contains(end)).unwrap_or(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_promise_of_one_run_is_not_hidden_by_an_invalid_one() {
        let of = |ends: &[Exit]| worst(ends.iter().copied());
        assert_eq!(
            of(&[Exit::Pass, Exit::Invalid, Exit::Incorrect]),
            Exit::Incorrect
        );
        assert_eq!(
            of(&[Exit::Threshold, Exit::Invalid, Exit::Pass]),
            Exit::Invalid
        );
        assert_eq!(of(&[Exit::Pass, Exit::Inconclusive]), Exit::Inconclusive);
        assert_eq!(of(&[Exit::Incorrect, Exit::Interrupted]), Exit::Interrupted);
        assert_eq!(of(&[Exit::Pass; 3]), Exit::Pass);
    }

    #[test]
    fn names_are_in_order_as_text() {
        let mut names: Vec<String> = [1, 2, 10, 100, 999].map(name).to_vec();
        let given = names.clone();
        names.sort();
        assert_eq!(names, given);
    }
}
