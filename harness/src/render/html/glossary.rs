//! This module says what the words of the page mean.
//!
//! **Out:** an entry per word; the head of a table that is one of them shows its meaning.

use maud::{Markup, html};

/// Words in the order of a reader who meets them, with what each means.
const WORDS: [(&str, &str); 18] = [
    (
        "Expectation",
        "What the scenario says must be true of the run (a service level objective). It held, broke, or could not be judged.",
    ),
    (
        "Used of the limit",
        "What was observed, as a share of the limit. Over 100 % the expectation broke.",
    ),
    (
        "Response time",
        "From the moment a message should have been sent to its answer; what a time is unless it is called service. A server that stalls cannot hide by slowing the load down (coordinated omission).",
    ),
    (
        "Service",
        "From the moment a message was really sent to its answer.",
    ),
    (
        "Unanswered",
        "Sent, never acknowledged, and its time is over.",
    ),
    (
        "Lost",
        "Acknowledged by the server, and not answered as a whole in its time.",
    ),
    (
        "Pending",
        "Its time was not over when the run ended: neither answered nor lost.",
    ),
    (
        "Unexpected",
        "Frames that answer nothing their client asked.",
    ),
    (
        "Late",
        "Answered after its time (the drain) was over, yet before the end of the run; also among the completed.",
    ),
    (
        "Impact",
        "From the injection of a fault to the first answer that was refused, failed or slower than the tolerance.",
    ),
    (
        "Detected",
        "From the injection of a fault until the server itself said that it is not ready (/readyz).",
    ),
    (
        "Tolerance",
        "How slow p99 of complete may be for the service to count as recovered: the tightest limit that the scenario sets for it outside faults or for the whole run, else twice the p99 before the first fault, and at least 10 ms more than it.",
    ),
    (
        "Recovered",
        "From the confirmed end of a fault to the moment from which, for 3 s, p99 of complete is within the tolerance and nothing is refused, unanswered or lost. Found to 250 ms.",
    ),
    (
        "Backlog drained",
        "From the confirmed end of a fault until the last message it had touched was answered, or had failed for good.",
    ),
    (
        "Budget burned",
        "Answers that were slow, refused, missing or lost because of the fault, as a share of all that an objective of 99.9 % allows in a whole day at this rate. At 100 % the error budget of the day is gone.",
    ),
    (
        "Lateness",
        "How long after its socket was ready a message was written: the delay of the harness itself, never of the server.",
    ),
    ("Lane", "A thread of the harness that runs sessions."),
    (
        "Conclusive",
        "An experiment that shows beyond doubt what the server did. One that a fault of the run may have disturbed is not.",
    ),
];

/// What a word means, where it is one of them.
pub(crate) fn meaning(word: &str) -> Option<&'static str> {
    let mut words = WORDS.iter();
    words
        .find(|(name, _)| *name == word)
        .map(|(_, meaning)| *meaning)
}

pub(crate) fn section() -> Markup {
    html! {
        div.card {
            dl.env.words {
                @for (word, meaning) in WORDS {
                    dt { (word) }
                    dd { (meaning) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_is_a_word_has_its_meaning_and_no_other() {
        assert!(meaning("Budget burned").is_some_and(|text| text.contains("99.9 %")));
        assert_eq!(meaning("Planned"), None);
    }
}
