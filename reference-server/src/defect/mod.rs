//! What is wrong on purpose, so that a detector can be shown to catch it.
//!
//! One file per defect: what there is to say of it ([`Spec`]), and the one decision that it
//! changes, at the place named in its documentation. Everything is off by default. To add one: its
//! file, and its two lines here.

mod chunk_reorder;
mod complete_missing;
mod connect_hang;
mod duplicate_on_resume;
mod expiry_too_short;
mod group_leak;
mod jwt_expiry_cut;
mod lost_while_away;
mod no_rate_limit;
mod no_resubscribe;
mod no_server_ping;
mod not_a_participant;
mod origin_unchecked;
mod oversize_accepted;
mod ping_as_chat;
mod pubsub_only;
mod retry_runs_twice;
mod silent_1006;
mod switch;
pub(crate) mod token_double_spend;
mod token_endpoint_hang;
mod token_immortal;
mod token_in_log;
pub(crate) mod token_reusable;
mod token_ttl_drift;
mod unbounded_outbox;
mod wrong_conversation;

pub(crate) use switch::Defects;
use switch::{Share, Spec};

/// The defects, in the order of the contract's table.
const ALL: &[&Spec] = &[
    &token_double_spend::SPEC,
    &token_reusable::SPEC,
    &token_immortal::SPEC,
    &token_ttl_drift::SPEC,
    &token_in_log::SPEC,
    &silent_1006::SPEC,
    &connect_hang::SPEC,
    &token_endpoint_hang::SPEC,
    &no_server_ping::SPEC,
    &ping_as_chat::SPEC,
    &no_resubscribe::SPEC,
    &duplicate_on_resume::SPEC,
    &lost_while_away::SPEC,
    &group_leak::SPEC,
    &unbounded_outbox::SPEC,
    &expiry_too_short::SPEC,
    &origin_unchecked::SPEC,
    &not_a_participant::SPEC,
    &no_rate_limit::SPEC,
    &oversize_accepted::SPEC,
    &jwt_expiry_cut::SPEC,
    &chunk_reorder::SPEC,
    &complete_missing::SPEC,
    &wrong_conversation::SPEC,
    &pubsub_only::SPEC,
    &retry_runs_twice::SPEC,
];

/// A switch that cannot be set as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefectError {
    /// No such switch.
    #[error("`{0}` is not a defect of this build; --list-defects prints them")]
    Unknown(String),
    /// A rate outside 0 to 1.
    #[error("`{name}={rate}`: the rate is a number over 0 and up to 1")]
    Rate {
        /// The defect.
        name: String,
        /// What was given.
        rate: String,
    },
    /// A rate where there is none.
    #[error("`{0}` is always so once it is on: it takes no rate")]
    NoRate(&'static str),
}

/// Reads `NAME` and `NAME=RATE`.
pub(crate) fn parse(switches: &[String]) -> Result<Defects, DefectError> {
    let mut defects = Defects::default();
    for switch in switches {
        let (name, rate) = match switch.split_once('=') {
            Some((name, rate)) => (name, Some(rate)),
            None => (switch.as_str(), None),
        };
        let defect = ALL.iter().find(|defect| defect.name == name);
        let defect = defect.ok_or_else(|| DefectError::Unknown(name.to_owned()))?;
        defects.turn_on(defect, share(defect, rate)?);
    }
    Ok(defects)
}

fn share(defect: &Spec, given: Option<&str>) -> Result<Share, DefectError> {
    match (given, defect.rate) {
        (None, rate) => Ok(rate.and_then(Share::new).unwrap_or(Share::ALL)),
        (Some(_), None) => Err(DefectError::NoRate(defect.name)),
        (Some(text), Some(_)) => {
            let share = text.parse().ok().and_then(Share::new);
            share.ok_or_else(|| DefectError::Rate {
                name: defect.name.to_owned(),
                rate: text.to_owned(),
            })
        }
    }
}

/// The table that `--list-defects` prints.
pub(crate) fn list() -> String {
    use std::fmt::Write as _;
    let mut table = String::new();
    for Spec {
        row,
        name,
        wrong,
        seen,
        rate,
    } in ALL
    {
        let rate = rate.map_or_else(String::new, |rate| format!(" (rate {rate})"));
        let line = writeln!(
            table,
            "{row:>2} {name:<20} {wrong}{rate}\n{:24}seen: {seen}",
            ""
        );
        line.expect("a string takes every write");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(switch: &str, expected: &str) {
        let got = match parse(&[switch.to_owned()]) {
            Ok(_) => "ok".to_owned(),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(got, expected, "{switch}");
    }

    #[test]
    fn switches_are_read_or_refused_with_a_hint() {
        check("chunk-reorder", "ok");
        check("complete-missing=1", "ok");
        check("complete-missing=0.01", "ok");
        check(
            "nonsense",
            "`nonsense` is not a defect of this build; --list-defects prints them",
        );
        check("token-reusable", "ok");
        check(
            "token-reusable=0.5",
            "`token-reusable` is always so once it is on: it takes no rate",
        );
        for rate in ["0", "1.5", "-1", "NaN", "x", ""] {
            check(
                &format!("chunk-reorder={rate}"),
                &format!("`chunk-reorder={rate}`: the rate is a number over 0 and up to 1"),
            );
        }
    }

    #[test]
    fn a_switch_turns_on_itself_and_nothing_else() {
        for defect in ALL {
            let on = parse(&[defect.name.to_owned()]).unwrap();
            let others = ALL.iter().filter(|other| on.has(other));
            let names: Vec<_> = others.map(|other| other.name).collect();
            assert_eq!(names, [defect.name]);
            assert!(!Defects::default().has(defect), "off by default");
        }
        let rows: Vec<u8> = ALL.iter().map(|defect| defect.row).collect();
        assert!(rows.is_sorted() && rows.len() == 26, "{rows:?}");
    }

    #[test]
    fn the_last_rate_given_counts() {
        let switches = ["chunk-reorder=0.000001", "chunk-reorder=1"].map(str::to_owned);
        let on = parse(&switches).unwrap();
        assert!(on.strikes(&chunk_reorder::SPEC, u64::MAX));
    }
}
