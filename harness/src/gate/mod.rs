//! This module holds the results of many runs against each other: is one side slower?
//!
//! **In:** run results, or the facts of runs that a baseline kept. **Out:** a [`comparison::Decision`]: per metric both
//! sides, the change with its interval, its limits and a word; and one outcome.
//!
//! **Method.** The *run* is the replicate: what is within a run is not independent. Each metric of a run is one number; a
//! change is the mean of logarithms of ratios, so that -10 % and back is +11 %, and noise that grows with the value
//! counts the same everywhere. `statistics` says which intervals and why.
//!
//! Deliberately absent: drawing and writing of reports (`render::gate`), and the running of anything.

pub(crate) mod baseline;
#[cfg(test)]
mod bench;
pub(crate) mod comparison;
pub(crate) mod decision;
pub(crate) mod facts;
pub(crate) mod input;
pub(crate) mod looks;
pub(crate) mod metric;
mod prospect;
pub(crate) mod refusal;
mod row;
pub(crate) mod rules;
pub(crate) mod sides;
pub(crate) mod statistics;
#[cfg(test)]
pub(crate) mod synthetic;
#[cfg(test)]
mod tests;
pub(crate) mod trend;
pub(crate) mod wait;
mod wording;
