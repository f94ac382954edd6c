//! This module turns the typed stages and shares into absolute stages and whole clients.
//!
//! **In:** [`Load`] and the flags that scale it. **Out:** stages without gaps from 0, and how many
//! clients behave in which way. **Units:** `*_us` are microseconds from load start.

use std::time::Duration;

use crate::plan::{Behavior, BehaviorShare, LoadStage};
use crate::scenario::Overrides;
use crate::scenario::load::Load;
use crate::scenario::problem::{Complaint, Place, Problems};
use crate::scenario::stages::CLIENTS_MAX;
use crate::scenario::stages::Shape;
use crate::units;

/// Longest load.
const LOAD_US_MAX: u64 = 7 * 24 * 3600 * 1_000_000;
/// Shortest and longest `--duration`.
const DURATION_MIN: Duration = Duration::from_secs(1);

/// A stage with its clients, before it has a place in time.
struct Leg {
    at: Place,
    field: String,
    length_us: u64,
    /// `None` for a hold.
    to: Option<u32>,
}

/// Stages with absolute times, scaled by `--clients` and `--duration`.
pub(super) fn stages(
    load: &Load,
    overrides: &Overrides,
    problems: &mut Problems,
) -> Option<Vec<LoadStage>> {
    let before = problems.count();
    let mut legs = legs(load, problems)?;
    scale_clients(&mut legs, overrides, problems);
    scale_holds(&mut legs, overrides, problems);
    let mut start_us = 0;
    let mut from = 0;
    let mut stages = Vec::with_capacity(legs.len());
    for leg in &legs {
        let to = leg.to.unwrap_or(from);
        if leg.length_us == 0 {
            let complaint = Complaint::new("lasts no time").hint("write a length such as \"10s\"");
            problems.add(&leg.at, leg.field.clone(), complaint);
        } else if to == 0 && from == 0 {
            let complaint = Complaint::new("holds no clients")
                .hint("put a ramp before it: { ramp = \"10s\", to = 200 }");
            problems.add(&leg.at, leg.field.clone(), complaint);
        }
        stages.push(LoadStage {
            start_us,
            length_us: leg.length_us,
            from,
            to,
        });
        start_us += leg.length_us;
        from = to;
    }
    if stages.iter().all(|stage| stage.to == 0) {
        let complaint =
            Complaint::new("no stage has any clients").hint("write { ramp = \"10s\", to = 200 }");
        problems.add(&load.at, "load.stages", complaint);
    }
    if start_us > LOAD_US_MAX {
        let fact = format!(
            "the load lasts {}, at most {} are run",
            units::print_us(start_us),
            units::print_us(LOAD_US_MAX)
        );
        problems.add(&load.at, "load.stages", Complaint::new(fact));
    }
    (problems.count() == before).then_some(stages)
}

fn legs(load: &Load, problems: &mut Problems) -> Option<Vec<Leg>> {
    let typed = load.stages.as_ref()?;
    let clients = load.clients.as_ref();
    let mut legs = Vec::with_capacity(typed.len());
    for stage in typed {
        let (length, to) = match stage.shape {
            Shape::Hold { length } => (length, None),
            Shape::Ramp { length, to } => {
                let Some(to) = to.or(clients.map(|clients| clients.value)) else {
                    let complaint = Complaint::new("does not say how many clients it leads to")
                        .hint("write to = 200 beside it, or clients = 200 in [load]");
                    problems.add(&stage.at, stage.field.clone(), complaint);
                    return None;
                };
                (length, Some(to))
            }
        };
        let length_us = units::us(length);
        legs.push(Leg {
            at: stage.at.clone(),
            field: stage.field.clone(),
            length_us,
            to,
        });
    }
    let most = legs.iter().filter_map(|leg| leg.to).max().unwrap_or(0);
    if let Some(clients) = clients
        && clients.value != most
    {
        let fact = format!(
            "says {}, but the stages lead to {most} at most",
            clients.value
        );
        let hint = format!(
            "write clients = {most}, or give the largest `to` as {}; --clients N scales both",
            clients.value
        );
        problems.add(&clients.at, "load.clients", Complaint::new(fact).hint(hint));
    }
    Some(legs)
}

/// `--clients N`: the most clients become N, every other number keeps its proportion to them.
fn scale_clients(legs: &mut [Leg], overrides: &Overrides, problems: &mut Problems) {
    let Some(wanted) = overrides.clients else {
        return;
    };
    if !(1..=CLIENTS_MAX).contains(&wanted) {
        let fact = format!("must lie between 1 and {CLIENTS_MAX}, found {wanted}");
        problems.add(
            &Place::flag(&format!("--clients {wanted}")),
            "load.clients",
            Complaint::new(fact),
        );
        return;
    }
    let most = u64::from(legs.iter().filter_map(|leg| leg.to).max().unwrap_or(0));
    for to in legs.iter_mut().filter_map(|leg| leg.to.as_mut()) {
        if *to > 0 && most > 0 {
            let scaled = (u64::from(*to) * u64::from(wanted) + most / 2) / most;
            *to = units::saturating_u32(scaled.max(1));
        }
    }
}

/// `--duration D`: ramps stay as they are, holds share what remains in proportion.
fn scale_holds(legs: &mut [Leg], overrides: &Overrides, problems: &mut Problems) {
    let Some(wanted) = overrides.duration else {
        return;
    };
    let at = Place::flag(&format!("--duration {}", units::print_duration(wanted)));
    let wanted_us = units::us(wanted);
    let (holds, ramps): (Vec<&Leg>, Vec<&Leg>) = legs.iter().partition(|leg| leg.to.is_none());
    let held_us: u64 = holds.iter().map(|leg| leg.length_us).sum();
    let ramped_us: u64 = ramps.iter().map(|leg| leg.length_us).sum();
    let complaint = if wanted < DURATION_MIN || wanted_us > LOAD_US_MAX {
        let most = units::print_us(LOAD_US_MAX);
        Some(Complaint::new(format!(
            "must lie between {} and {most}",
            units::print_duration(DURATION_MIN)
        )))
    } else if held_us == 0 {
        Some(
            Complaint::new("there is no hold to scale")
                .hint("change the ramps with --set load.stages.0.ramp=20s"),
        )
    } else if wanted_us <= ramped_us {
        let fact = format!(
            "the ramps alone last {}, and they are not scaled",
            units::print_us(ramped_us)
        );
        let hint = "give more time, or shorten a ramp with --set load.stages.0.ramp=5s";
        Some(Complaint::new(fact).hint(hint))
    } else {
        None
    };
    if let Some(complaint) = complaint {
        problems.add(&at, "load.stages", complaint);
        return;
    }
    let mut remaining_us = wanted_us - ramped_us;
    let mut unscaled_us = held_us;
    for leg in legs.iter_mut().filter(|leg| leg.to.is_none()) {
        let share =
            u128::from(leg.length_us) * u128::from(remaining_us) / u128::from(unscaled_us.max(1));
        unscaled_us -= leg.length_us;
        leg.length_us = u64::try_from(share).unwrap_or(u64::MAX);
        remaining_us -= leg.length_us;
    }
}

/// Whole clients for each share: largest remainders, and nobody who was asked for is left out, unless `fewer`
/// clients are wanted than the file has.
pub(super) fn mix(
    load: &Load,
    clients: Option<u32>,
    fewer: bool,
    problems: &mut Problems,
) -> Option<Vec<BehaviorShare>> {
    let every_us = units::us(load.reconnector_every.value);
    let asked = [
        (Behavior::Chatter, load.mix.chatter),
        (Behavior::Lurker, load.mix.lurker),
        (Behavior::Reconnector { every_us }, load.mix.reconnector),
    ];
    let mut asked: Vec<(Behavior, f64)> = asked
        .into_iter()
        .filter(|(_, share)| *share > 0.0)
        .collect();
    if asked.is_empty() {
        let complaint = Complaint::new("every share is 0").hint("write mix = { chatter = 1 }");
        problems.add(&load.mix.at, "load.mix", complaint);
        return None;
    }
    let clients = clients?;
    if fewer {
        // Wanted on the command line: the commonest behaviours stand for all.
        asked.sort_by(|left, right| right.1.total_cmp(&left.1));
        asked.truncate(clients as usize);
    }
    let kinds = u32::try_from(asked.len()).unwrap_or(u32::MAX);
    if clients < kinds {
        let fact = format!("{clients} clients cannot behave in {kinds} ways");
        let hint = "leave out a behaviour, or give each at least one client";
        problems.add(&load.mix.at, "load.mix", Complaint::new(fact).hint(hint));
        return None;
    }
    let shares: Vec<f64> = asked.iter().map(|(_, share)| *share).collect();
    let counts = apportioned(clients, &shares);
    let pairs = asked.into_iter().zip(counts);
    Some(
        pairs
            .map(|((behavior, _), clients)| BehaviorShare { behavior, clients })
            .collect(),
    )
}

/// Splits `total` in proportion to `shares`, at least one each; `total` must suffice for that.
fn apportioned(total: u32, shares: &[f64]) -> Vec<u32> {
    let sum: f64 = shares.iter().sum();
    let exact: Vec<f64> = shares
        .iter()
        .map(|share| f64::from(total) * share / sum)
        .collect();
    let mut counts: Vec<u32> = exact
        .iter()
        .map(|value| units::saturating_u32(units::rounded(value.floor())).max(1))
        .collect();
    // Too few: the largest remainder takes the next. Too many (those raised to one): the richest gives.
    while counts.iter().sum::<u32>() < total {
        let behind = |index: &usize| exact[*index] - f64::from(counts[*index]);
        let next = (0..counts.len())
            .max_by(|left, right| behind(left).total_cmp(&behind(right)).then(right.cmp(left)));
        counts[next.unwrap_or(0)] += 1;
    }
    while counts.iter().sum::<u32>() > total {
        let richest = (0..counts.len()).max_by_key(|index| counts[*index]);
        counts[richest.unwrap_or(0)] -= 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_percent_of_two_thousand_are_a_hundred() {
        assert_eq!(apportioned(2000, &[95.0, 5.0]), [1900, 100]);
    }

    #[test]
    fn a_small_share_of_few_clients_is_still_one() {
        assert_eq!(apportioned(5, &[95.0, 5.0]), [4, 1]);
        assert_eq!(apportioned(2, &[1e9, 1e-9]), [1, 1]);
    }

    proptest! {
        #[test]
        fn shares_add_up_to_all_clients(total in 3..100_000_u32, shares in prop::collection::vec(1e-9..1e9, 1..=3)) {
            let counts = apportioned(total, &shares);
            prop_assert_eq!(counts.iter().sum::<u32>(), total);
            prop_assert!(counts.iter().all(|count| *count >= 1));
        }
    }
}
