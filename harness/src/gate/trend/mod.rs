//! This module lays baselines and gates in order of time, and says where a metric changed its level for good.
//!
//! **In:** the files of a history. **Out:** a [`Trend`]: series of runs that were asked the same on machines of one kind, each
//! with its metrics and their changes.
//!
//! A threshold sees what is bad today, a gate what is worse than yesterday; a drift of 1 % a week passes both. This sees it.

mod account;
mod divisive;
mod history;
mod series;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::account::{Change, MetricTrend, Point, PointKind, SCHEMA, Series, Trend};
pub(crate) use self::divisive::{LEAST, LEVEL, PERMUTATIONS};
pub(crate) use self::history::{HistoryError, read};
pub(crate) use self::series::trend;
