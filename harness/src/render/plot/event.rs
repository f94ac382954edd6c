//! This module marks the seconds in which messages came to a bad end, at the foot of a chart over time.
//!
//! **In:** `series.per_second` and the messages that the page shows. **Out:** a red mark for each such second, which leads to
//! the first message that is shown of it.

use super::axis::Plane;
use super::svg::{escape, px};
use crate::format::{self, append};
use crate::result::{RunResult, Second};
use crate::scenario::expectation::Outcome;
use crate::units::seconds;

/// Ends that a reader wants to see at a glance.
const BAD: [Outcome; 7] = [
    Outcome::Lost,
    Outcome::Unheard,
    Outcome::Duplicated,
    Outcome::OutOfOrder,
    Outcome::Unexpected,
    Outcome::Unanswered,
    Outcome::Refused,
];
/// Messages that went wrong, as far as the page shows them.
pub(crate) const EXAMPLES_MAX: usize = 50;
/// Height of a mark.
const MARK_PX: i32 = 9;

/// A second of bad ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Its middle.
    pub at: f64,
    /// `3 lost, 2 refused of the messages of 20.0 to 21.0 s`
    pub text: String,
    /// The place among the examples of the first message of it that the page shows.
    pub example: Option<usize>,
}

/// The id on the page of an example by its place.
pub(crate) fn anchor(place: usize) -> String {
    format!("message-{}", place + 1)
}

/// Every second with a bad end, in order of time.
pub(super) fn of(result: &RunResult) -> Vec<Event> {
    let second_us = result.series.second_us;
    let event = |row: &Second| {
        let counts = BAD.map(|outcome| (outcome, row.delivery.of(outcome)));
        let bad = counts.iter().filter(|(_, count)| *count > 0);
        let bad =
            bad.map(|(outcome, count)| format!("{} {}", format::count(*count), outcome.words()));
        let bad: Vec<String> = bad.collect();
        if bad.is_empty() {
            return None;
        }
        let within = row.at_us..row.at_us.saturating_add(second_us);
        let mut examples = result.examples.iter().take(EXAMPLES_MAX);
        Some(Event {
            at: seconds(row.at_us.saturating_add(second_us / 2)),
            text: format!(
                "{} of the messages of {} to {} s",
                bad.join(", "),
                format::rough_stamp(row.at_us),
                format::rough_stamp(row.at_us.saturating_add(second_us))
            ),
            example: examples.position(|example| within.contains(&example.intended_us)),
        })
    };
    result.series.per_second.iter().filter_map(event).collect()
}

/// The marks, for the inside of the plot.
pub(super) fn marks(events: &[Event], plane: &Plane<'_>) -> String {
    let mut markup = String::new();
    let base = plane.top + plane.height;
    for event in events {
        let (text, at) = (escape(&event.text), px(plane.x_at(event.at)));
        let mark = format!(
            "<path class=\"k-event\" d=\"M{at} {base}v-{MARK_PX}\"><title>{text}</title></path>"
        );
        match event.example {
            Some(place) => append(
                &mut markup,
                format_args!(
                    "<a href=\"#{}\" aria-label=\"{text}\">{mark}</a>\n",
                    anchor(place)
                ),
            ),
            None => append(&mut markup, format_args!("{mark}\n")),
        }
    }
    markup
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{Story, result};

    #[test]
    fn a_second_with_a_lost_message_leads_to_it_and_a_good_one_has_no_mark() {
        let result = result(Story::Fail);
        let events = of(&result);
        let led: Vec<&Event> = events
            .iter()
            .filter(|event| event.example.is_some())
            .collect();
        assert!(!led.is_empty(), "{events:?}");
        for event in led {
            let shown = &result.examples[event.example.unwrap()];
            assert!((seconds(shown.intended_us) - event.at).abs() <= 0.5 + 1e-9);
        }
        let sum: u64 = result
            .series
            .per_second
            .iter()
            .map(|row| row.delivery.lost)
            .sum();
        assert_eq!(sum, result.delivery.lost);
        let bad = |row: &&Second| BAD.iter().any(|outcome| row.delivery.of(*outcome) > 0);
        assert_eq!(
            result.series.per_second.iter().filter(bad).count(),
            events.len()
        );
    }
}
