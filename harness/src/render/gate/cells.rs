//! This module puts a row of a comparison into words: the same in every report.

use crate::format;
use crate::gate::comparison::{Decision, Outcome, Role, Row, Word};
use crate::gate::statistics::Design;
use crate::render::words::{Look, plural};

/// The outcome's word, mark and class.
pub(super) const fn outcome(outcome: Outcome) -> Look {
    let (word, mark, class) = match outcome {
        Outcome::Pass => ("PASS", "✓", "pass"),
        Outcome::Threshold => ("FAIL", "✗", "fail"),
        Outcome::Slower => ("SLOWER", "✗", "fail"),
        Outcome::Inconclusive => ("INCONCLUSIVE", "?", "warn"),
        Outcome::Refused => ("REFUSED", "?", "warn"),
        Outcome::Invalid => ("INVALID", "!", "warn"),
        Outcome::Incorrect => ("INCORRECT", "✗", "fail"),
    };
    Look { word, mark, class }
}

/// The word of a row, and how it looks.
pub(super) const fn word(row: &Row) -> Look {
    let cost = row.metric.is_cost();
    let (word, mark, class) = match row.word {
        Word::Slower if cost => ("more", "✗", "bad"),
        Word::Slower => ("slower", "✗", "bad"),
        Word::Faster if cost => ("less", "✓", "good"),
        Word::Faster => ("faster", "✓", "good"),
        Word::Same => ("same", "✓", "good"),
        Word::CannotTell if row.within && cost => ("not more", "✓", "good"),
        Word::CannotTell if row.within => ("not slower", "✓", "good"),
        Word::CannotTell => ("cannot tell", "?", "warn"),
    };
    Look { word, mark, class }
}

/// The metric, with what it is per.
pub(super) fn name(row: &Row) -> String {
    use crate::gate::metric::Metric;
    let name = format::harmless(&row.metric.to_string());
    match row.metric {
        Metric::ServerCpu => format!("{name}/message"),
        Metric::RelativeCpu => format!("{name} (server/generator)"),
        Metric::ServerMemory => format!("{name}/client"),
        Metric::Latency { .. } | Metric::Recovery { .. } | Metric::BacklogDrain { .. } => name,
    }
}

pub(super) fn value(row: &Row, value: Option<f64>) -> String {
    value.map_or_else(|| format::NONE.to_owned(), |value| row.unit.text(value))
}

/// `+1.2 %`, or a dash.
pub(super) fn share(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| format::NONE.to_owned(), format::change)
}

/// `−1.2 … +3.4 %`.
pub(super) fn interval(row: &Row) -> String {
    let Some((low, high)) = row.low_ratio.zip(row.high_ratio) else {
        return format::NONE.to_owned();
    };
    let (low, high) = (format::change(low), format::change(high));
    let low = low.trim_end_matches('%').trim_end_matches(format::NBSP);
    format!("{low}{0}…{0}{high}", format::NBSP)
}

/// `±4.1 %`.
pub(super) fn reach(ratio: Option<f64>) -> String {
    ratio.map_or_else(
        || format::NONE.to_owned(),
        |ratio| format::change(ratio).replacen('+', "±", 1),
    )
}

/// `own time 2.71 ms → 2.79 ms, without the planned wait of 31.0 ms`, where a wait is known.
pub(super) fn own(row: &Row) -> Option<String> {
    let wait = row.wait?;
    Some(format!(
        "own time {} → {}, without the planned wait of {}",
        value(row, row.base_own_median),
        value(row, row.new_own_median),
        value(row, Some(wait))
    ))
}

/// The rows that may decide, then the others.
pub(super) fn split(decision: &Decision) -> (Vec<&Row>, Vec<&Row>) {
    decision
        .rows
        .iter()
        .partition(|row| row.role != Role::Shown)
}

/// `8 pairs`, `8 base runs and 5 new runs`.
pub(super) fn design(decision: &Decision) -> String {
    match decision.design {
        Some(Design::Paired { pairs }) => plural(pairs, "pair"),
        Some(Design::TwoSamples { .. }) | None => {
            let count = |side: &[_]| side.len();
            format!(
                "{} and {}",
                plural(count(&decision.base.runs), "base run"),
                plural(count(&decision.new.runs), "new run")
            )
        }
    }
}

/// What could have been found, before and after.
pub(super) fn found(decision: &Decision) -> Option<String> {
    let primary = decision.rows.iter().find(|row| row.role == Role::Primary)?;
    let reach =
        |ratio: Option<f64>| ratio.map_or_else(|| "nothing of any use".to_owned(), format::change);
    Some(format!(
        "{} of {} is found in 95 of 100 such gates ({} was expected by the noise of the base)",
        reach(primary.smallest_ratio),
        name(primary),
        reach(decision.smallest_before_ratio)
    ))
}

/// Counts of both sides, those that are nothing on both left out.
pub(super) fn counts(decision: &Decision) -> Vec<(&'static str, u64, u64)> {
    let (base, new) = (decision.base.counts, decision.new.counts);
    let all = [
        ("sent", base.sent, new.sent),
        ("completed", base.completed, new.completed),
        ("refused", base.refused, new.refused),
        ("unanswered", base.unanswered, new.unanswered),
        ("lost", base.lost, new.lost),
        ("duplicated", base.duplicated, new.duplicated),
        ("out of order", base.out_of_order, new.out_of_order),
        ("sockets cut", base.cut, new.cut),
        ("failed clients", base.failed_clients, new.failed_clients),
    ];
    all.to_vec()
}

/// A heading: what was compared, and what came of it.
pub(super) fn title(decision: &Decision) -> String {
    let title = if decision.title.is_empty() {
        "comparison"
    } else {
        &decision.title
    };
    format::harmless(title)
}
