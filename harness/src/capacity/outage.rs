//! This module says what the storm means for instances of which one goes.
//!
//! **In:** the storm, what was asked, how many instances there are to be. **Out:** a [`Figure`], and words for others.

use std::cmp::Ordering;

use super::figure::{Basis, Figure};
use super::question::Question;
use super::search::Came;
use super::storm::Storm;
use crate::format;

/// What the storm says of one instance less, behind how many are needed.
pub(super) fn without_one(storm: Option<&Storm>) -> &'static str {
    match storm.map(|storm| storm.came) {
        Some(Came::Broke) => {
            "; as full as that, those that stay do not survive its clients coming to them all at once: see the storm"
        }
        Some(Came::Held | Came::Full | Came::Unclear) | None => "",
    }
}

/// What half of the clients that come back at once do to the load that held; `all`: instances, where it is known how many.
pub(super) fn figure(asked: &Question, storm: &Storm, all: Option<u64>) -> Option<Figure> {
    if matches!(storm.came, Came::Full | Came::Unclear) {
        return None;
    }
    let clients = format::count(storm.clients);
    let why = if storm.came == Came::Broke {
        format!(" {}", storm.sentence)
    } else {
        String::new()
    };
    Some(Figure {
        name: "after a storm".to_owned(),
        value: storm.longest_us.unwrap_or(0) as f64 / 1e6,
        text: storm.text(),
        basis: Basis::Measured,
        how: format!(
            "half of the connections were reset at once at {} {}, through a fault proxy: {} of {clients} clients were cut, and had {} ({}).{why} {}",
            format::count(storm.load),
            asked.axis.unit(),
            format::count(storm.cut),
            format::round_duration(storm.within.us as f64),
            storm.within.of,
            all.map_or_else(of_several, |all| compared(asked.spare.max(1), all))
        ),
        run: Some(storm.folder.clone()),
    })
}

fn of_several() -> String {
    "When one of several instances goes, its clients come to the others like that: of three or more, fewer."
        .to_owned()
}

/// How the storm compares with what is met when so many of all instances go.
fn compared(gone: u64, all: u64) -> String {
    let (of_gone, of_all) = (format::count(gone), format::count(all));
    let go = if gone == 1 { "goes" } else { "go" };
    let when = format!("When {of_gone} of {of_all} instances {go}");
    match gone.saturating_mul(2).cmp(&all) {
        _ if gone >= all => format!("{when}, nobody is left to come to."),
        Ordering::Less => {
            format!(
                "{when}, {of_gone} in {of_all} clients of those that stay are new: the storm is harsher."
            )
        }
        Ordering::Equal => {
            format!("{when}, half of the clients of those that stay are new: as in the storm.")
        }
        Ordering::Greater => format!(
            "{when}, {of_gone} in {of_all} clients of those that stay are new: the storm is milder, and does not show that."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_clients_are_more_than_what_one_of_three_leaves() {
        assert!(compared(1, 3).contains("1 in 3 clients"));
        assert!(compared(1, 3).ends_with("the storm is harsher."));
        assert!(compared(1, 2).ends_with("as in the storm."));
        assert!(compared(2, 3).contains("milder"));
        assert!(compared(1, 1).contains("nobody is left"));
    }
}
