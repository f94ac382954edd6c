//! This module holds what came of a trial: of one experiment that was repeated beside the load.
//!
//! **In:** outcomes, one at a time, of every account that takes part. **Out:** a [`TrialRecord`]: facts only,
//! judged elsewhere.
//!
//! **Units:** microseconds since load start; ages of tokens in microseconds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::known::Known;

/// Bins of the ages of tokens, from one end of the spread to the other.
pub(crate) const AGE_BINS: u64 = 20;
/// Examples kept of each failure.
const EXAMPLES_MAX: usize = 3;
/// Different reasons kept.
const REASONS_MAX: usize = 16;
/// Where all further reasons are counted.
const OTHER: &str = "other";

/// What came of one trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TrialRecord {
    /// Experiments in which the server did what it must.
    pub held: u64,
    /// Experiments that show neither, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unclear: BTreeMap<String, u64>,
    /// The first of them, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear_example: Option<Showing>,
    /// By failure: experiments that show it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub broke: BTreeMap<Known, Broken>,
    /// What shows that the trial was in the situation it is about: `both asked before either was answered` → how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub met: BTreeMap<String, u64>,
    /// Acceptance of tokens over their age, by the least that the age can have been, rounded down to a bin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ages: BTreeMap<u64, Accepted>,
}

/// How often a failure was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Broken {
    pub count: u64,
    /// The end of the first experiment that showed it.
    pub first_us: u64,
    /// The first few, whole.
    pub examples: Vec<Showing>,
}

/// An experiment from its first step to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Showing {
    /// When it ended.
    pub at_us: u64,
    pub account: String,
    /// What went wrong, one clause.
    pub what: String,
    /// From its first step to its last; of a long one the middle is left out.
    pub lines: Vec<ShowingLine>,
}

/// A step, a frame, or the end of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ShowingLine {
    pub at_us: u64,
    /// Redacted, and safe to print.
    pub text: String,
}

/// Tokens of about one age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Accepted {
    pub tried: u64,
    pub accepted: u64,
}

impl TrialRecord {
    /// Experiments with a clear outcome.
    pub(crate) fn clear(&self) -> u64 {
        self.held + self.broke.values().map(|broken| broken.count).sum::<u64>()
    }

    /// An experiment that shows neither.
    pub(crate) fn add_unclear(&mut self, reason: &str, showing: impl FnOnce(String) -> Showing) {
        count(&mut self.unclear, reason, 1);
        self.unclear_example
            .get_or_insert_with(|| showing(reason.to_owned()));
    }

    /// The situation it is about was met.
    pub(crate) fn add_met(&mut self, what: &str, times: u64) {
        count(&mut self.met, what, times);
    }

    /// An experiment that shows a failure.
    pub(crate) fn add_broken(&mut self, known: Known, showing: Showing) {
        let at_us = showing.at_us;
        let one = Broken {
            count: 1,
            first_us: at_us,
            examples: vec![showing],
        };
        self.broke.entry(known).or_default().merge(one);
    }

    /// Adds what another account saw.
    pub(crate) fn merge(&mut self, other: Self) {
        self.held += other.held;
        for (reason, times) in other.unclear {
            count(&mut self.unclear, &reason, times);
        }
        self.unclear_example = match (self.unclear_example.take(), other.unclear_example) {
            (Some(mine), Some(theirs)) if theirs.at_us < mine.at_us => Some(theirs),
            (mine, theirs) => mine.or(theirs),
        };
        for (what, times) in other.met {
            count(&mut self.met, &what, times);
        }
        for (known, broken) in other.broke {
            self.broke.entry(known).or_default().merge(broken);
        }
        for (bin, accepted) in other.ages {
            let mine = self.ages.entry(bin).or_default();
            mine.tried += accepted.tried;
            mine.accepted += accepted.accepted;
        }
    }
}

impl Broken {
    fn merge(&mut self, other: Self) {
        self.first_us = if self.count == 0 {
            other.first_us
        } else {
            self.first_us.min(other.first_us)
        };
        self.count += other.count;
        self.examples.extend(other.examples);
        self.examples.sort_by_key(|showing| showing.at_us);
        self.examples.truncate(EXAMPLES_MAX);
    }
}

/// Adds to a table whose keys are bounded.
fn count(table: &mut BTreeMap<String, u64>, key: &str, times: u64) {
    let full = table.len() >= REASONS_MAX && !table.contains_key(key);
    let key = if full { OTHER } else { key };
    *table.entry(key.to_owned()).or_insert(0) += times;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing(at_us: u64) -> Showing {
        Showing {
            at_us,
            ..Showing::default()
        }
    }

    #[test]
    fn the_first_examples_are_kept_whoever_saw_them() {
        let mut all = TrialRecord::default();
        for start in [500, 100, 300] {
            let mut one = TrialRecord {
                held: 1,
                ..TrialRecord::default()
            };
            for at_us in start..start + 10 {
                one.add_broken(Known::TokenReusable, showing(at_us));
            }
            all.merge(one);
        }
        let broken = &all.broke[&Known::TokenReusable];
        assert_eq!((broken.count, broken.first_us, all.clear()), (30, 100, 33));
        let kept: Vec<u64> = broken.examples.iter().map(|one| one.at_us).collect();
        assert_eq!(kept, [100, 101, 102]);
    }

    #[test]
    fn reasons_are_bounded() {
        let mut record = TrialRecord::default();
        for reason in 0..100 {
            record.add_unclear(&reason.to_string(), |_| showing(reason));
        }
        assert_eq!(record.unclear.len(), REASONS_MAX + 1);
        assert_eq!(record.unclear[OTHER], 84);
        assert_eq!(record.unclear_example, Some(showing(0)));
    }
}
