//! This module puts the answer of a metric into a sentence.
//!
//! **In:** a decided row. **Out:** what changed, by how much, how sure that is, against which limit.

use super::comparison::{Row, Word};
use crate::format;

/// The row as a sentence.
pub(super) fn sentence(row: &Row) -> String {
    let metric = &row.metric;
    let numbers = || {
        let (Some(change), Some(low), Some(high)) =
            (row.change_ratio, row.low_ratio, row.high_ratio)
        else {
            return String::new();
        };
        format!(
            "{}, 95 % sure of {} to {}",
            format::change(change),
            format::change(low),
            format::change(high)
        )
    };
    let limit = row.limit_ratio.map_or_else(String::new, format::change);
    let open = || match (row.low_ratio, row.high_ratio) {
        (Some(low), Some(high)) => format!(
            "the change lies between {} and {}, and the limit is {limit}",
            format::change(low),
            format::change(high)
        ),
        (None, _) | (_, None) => "too few runs have it".to_owned(),
    };
    match row.word {
        Word::Slower if metric.is_cost() => {
            format!(
                "More {metric} per unit of work: {} (limit {limit}).",
                numbers()
            )
        }
        Word::Slower => format!("{metric} is slower: {} (limit {limit}).", numbers()),
        Word::Faster if metric.is_cost() => {
            format!("Less {metric} per unit of work: {}.", numbers())
        }
        Word::Faster => format!("{metric} is faster: {}.", numbers()),
        Word::Same => format!("{metric} is the same: {} (limit {limit}).", numbers()),
        Word::CannotTell if row.within => {
            format!(
                "{metric} is not slower by the limit of {limit}: {}.",
                numbers()
            )
        }
        Word::CannotTell => {
            let reason = row.reason.clone().unwrap_or_else(open);
            format!("Whether {metric} is slower cannot be told: {reason}.")
        }
    }
}
