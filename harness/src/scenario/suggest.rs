//! This module finds the name that was probably meant.
//!
//! **In:** a name nobody knows, and the known ones. **Out:** a hint.
//! **Source:** optimal string alignment distance (Levenshtein with swapped neighbours).

use strsim::osa_distance;

/// A hint that names the nearest known name, or all of them where none is near.
pub(super) fn hint(typed: &str, known: &[&str]) -> String {
    match nearest(typed, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("known: {}", known.join(", ")),
    }
}

/// The nearest known name, if it is near enough to be a slip of the finger.
pub(super) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = fold(typed);
    let slips_max = (folded.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|name| (osa_distance(&folded, &fold(name)), *name))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

/// Letters without case, `-` and `_` alike; no more of them than a name can have.
fn fold(name: &str) -> String {
    let letters = name.to_ascii_lowercase().replace('-', "_");
    letters.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["clients", "stages", "heartbeat", "reconnect"];

    #[track_caller]
    fn check(typed: &str, expected: Option<&str>) {
        assert_eq!(nearest(typed, &KNOWN), expected, "{typed}");
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        check("client", Some("clients"));
        check("cleints", Some("clients"));
        check("heart-beat", Some("heartbeat"));
        check("Reconnect", Some("reconnect"));
        check("stage", Some("stages"));
    }

    #[test]
    fn another_word_is_not_taken_for_a_slip() {
        check("users", None);
        check("", None);
        check("x", None);
    }

    #[test]
    fn where_nothing_is_near_all_names_are_listed() {
        assert_eq!(hint("users", &["a", "b"]), "known: a, b");
    }
}
