//! This module puts the answer of a metric into a sentence.
//!
//! **In:** a decided row. **Out:** what changed, by how much, how sure that is, against which limit.

use super::comparison::{Row, Word};
use crate::format;

/// The row as a sentence. `level`: how rarely it may be called slower by chance.
pub(super) fn sentence(row: &Row, level: f64) -> String {
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
            let reason = row.reason.clone().unwrap_or_else(|| open(row, level));
            format!("Whether {metric} is slower cannot be told: {reason}.")
        }
    }
}

/// Why it cannot be told: what the interval leaves open, and what else is asked of a change that looks clear.
fn open(row: &Row, level: f64) -> String {
    let (Some(change), Some(low), Some(high)) = (row.change_ratio, row.low_ratio, row.high_ratio)
    else {
        return "too few runs have it".to_owned();
    };
    let limit = row.limit_ratio.unwrap_or(0.0);
    let mut text = format!(
        "the change lies between {} and {}, and the limit is {}",
        format::change(low),
        format::change(high),
        format::change(limit)
    );
    let noise = row.noise_ratio.unwrap_or(0.0);
    let by_chance = row.p_more.filter(|p| *p > level);
    if change < limit || low <= 0.0 {
        return text;
    }
    if let Some(p) = by_chance {
        let more = format!(
            "; as much comes by chance in {} of such comparisons, and here it must be {} at most",
            share(p),
            share(level)
        );
        text.push_str(&more);
    } else if change < noise {
        let more = format!(
            "; two sides of one kind differ by as much as {}",
            format::change(noise)
        );
        text.push_str(&more);
    }
    text
}

/// `0.27 %`: two digits that say something.
fn share(ratio: f64) -> String {
    let percent = ratio * 100.0;
    let decimals = if percent < 1.0 { 2 } else { 1 };
    format!("{percent:.decimals$}{}%", format::NBSP)
}
