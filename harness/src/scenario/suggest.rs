//! This module finds the name that was probably meant.
//!
//! **In:** a name nobody knows, and the known ones. **Out:** a hint.
//! **Source:** optimal string alignment distance (Levenshtein with swapped neighbours).

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
    let slips_max = (folded.len() / 3).clamp(1, 3);
    known
        .iter()
        .map(|name| (distance(&folded, &fold(name)), *name))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

/// Letters without case, `-` and `_` alike; no more of them than a name can have.
fn fold(name: &str) -> Vec<char> {
    name.chars()
        .take(64)
        .map(|c| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = above[column] + usize::from(a != b);
            let mut best = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && from[row - 1] == *b && to[column - 1] == *a;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[to.len()]
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
