//! This module works out what followed from each fault: impact, detection, recovery, backlog.
//!
//! **In:** the driver's stamps and the recording. **Out:** [`FaultResult`] per planned fault.
//!
//! *Recovered* is the first moment after the confirmed heal from which, for [`CALM_US`] of intended
//! sends, p99 of `complete` is within tolerance and nothing is refused, unanswered or lost. It is
//! found to the recorder's interval. The tolerance is the tightest `complete p99` the scenario
//! expects outside faults, else twice the p99 before the first fault, and at least [`TOLERANCE_ROOM_US`] more than it.
//!
//! *Impact* is the first refusal, failure or cut, or the first answer out of tolerance, whichever is earlier. A slow
//! answer counts from the moment it had been awaited for the tolerance, not from the moment it came: a stall of
//! seconds is felt before it is over. The tolerance is a p99, so answers are out of it as one is: where no more than
//! [`SLOW_RATIO_MAX`] of the messages that the fault touched took longer, none of them is its impact.
//!
//! **Units:** microseconds since load start, or microseconds.

use std::collections::BTreeMap;

use super::FaultResult;
use super::windows::Reach;
use crate::format::percent;
use crate::plan::{Link, Plan, PlannedFault};
use crate::record::delivery::Delivery;
use crate::record::fault::FaultStamps;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::{CloseCause, Recording};
use crate::scenario::expectation::{Comparison, Quantity, Statistic, TimeKind, When};
use crate::stage::Stage;
use crate::units;

/// How long answers must stay in tolerance before the service counts as recovered.
const CALM_US: u64 = 3_000_000;
/// Tolerance where nothing was answered before the first fault and nothing is expected.
const TOLERANCE_FALLBACK_US: u64 = 1_000_000;
/// Answers of a fast server differ by some milliseconds from one second to the next, whatever was done to it.
const TOLERANCE_ROOM_US: u64 = 10_000;
/// Share of answers that may be slower than a p99.
const SLOW_RATIO_MAX: f64 = 0.01;
/// A day's share of answers that may be bad: the budget of a 99.9 % objective.
const BUDGET_RATIO: f64 = 0.001;
const DAY_US: f64 = 86_400.0 * 1e6;

/// p99 of `complete` that counts as in tolerance.
pub(super) fn tolerance_us(plan: &Plan, recording: &Recording, stamps: &[FaultStamps]) -> u64 {
    let is_bound = |quantity: &Quantity| {
        matches!(
            quantity,
            Quantity::Latency {
                stage: Stage::Complete,
                statistic: Statistic::P99,
                time: TimeKind::Response,
            }
        )
    };
    let expected = plan.expect.iter().filter(|expectation| {
        is_bound(&expectation.what)
            && matches!(expectation.when, When::OutsideFaults | When::WholeRun)
            && matches!(
                expectation.bound.comparison,
                Comparison::Under | Comparison::AtMost
            )
    });
    let bounds = expected.map(|expectation| units::rounded(expectation.bound.value));
    bounds
        .min()
        .unwrap_or_else(|| twice_the_baseline(plan, recording, stamps))
}

fn twice_the_baseline(plan: &Plan, recording: &Recording, stamps: &[FaultStamps]) -> u64 {
    let first_us = stamps
        .iter()
        .filter_map(|stamp| stamp.injecting_us)
        .min()
        .unwrap_or(u64::MAX);
    let mut before = SparseHistogram::default();
    for (key, cell) in &recording.cells {
        let start_us = u64::from(key.interval) * plan.interval_us;
        if key.fault.is_none() && start_us >= plan.load.ramp_end_us() && start_us < first_us {
            before.merge(&cell.complete);
        }
    }
    if before.is_empty() {
        TOLERANCE_FALLBACK_US
    } else {
        let p99_us = before.value_at(0.99);
        p99_us.saturating_add(p99_us.max(TOLERANCE_ROOM_US))
    }
}

/// How far the fault reached; `None` when it was never injected.
pub(super) fn reach(
    fault: usize,
    stamps: &FaultStamps,
    recovered_us: Option<u64>,
    end_us: u64,
) -> Option<Reach> {
    let from_us = stamps.injecting_us?;
    let healed_us = stamps
        .heal_confirmed_us
        .unwrap_or(end_us)
        .clamp(from_us, end_us.max(from_us));
    let recovered_us = recovered_us
        .unwrap_or(end_us)
        .clamp(healed_us, end_us.max(healed_us));
    Some(Reach {
        fault,
        from_us,
        healed_us,
        recovered_us,
    })
}

/// Answers by interval of the intended send.
struct Answers {
    interval_us: u64,
    by_interval: BTreeMap<u32, (SparseHistogram, Delivery)>,
}

impl Answers {
    /// Of all messages but those the fault at `place` of the plan touched.
    fn new(recording: &Recording, interval_us: u64, place: usize) -> Self {
        let others = recording
            .cells
            .iter()
            .filter(|(key, _)| key.fault.is_none_or(|fault| usize::from(fault) != place));
        let mut by_interval: BTreeMap<u32, (SparseHistogram, Delivery)> = BTreeMap::new();
        for (key, cell) in others {
            let (complete, counts) = by_interval.entry(key.interval).or_default();
            complete.merge(&cell.complete);
            counts.merge(cell.delivery);
        }
        Self {
            interval_us,
            by_interval,
        }
    }

    /// Whether sends intended in the [`CALM_US`] from `first` on were all answered in tolerance.
    fn calm_from(&self, first: u32, tolerance_us: u64) -> bool {
        let steps = units::saturating_u32(CALM_US.div_ceil(self.interval_us));
        let mut complete = SparseHistogram::default();
        let mut counts = Delivery::default();
        for (_, (answers, delivery)) in self.by_interval.range(first..first.saturating_add(steps)) {
            complete.merge(answers);
            counts.merge(*delivery);
        }
        !complete.is_empty()
            && complete.value_at(0.99) <= tolerance_us
            && counts.refused + counts.unanswered + counts.lost == 0
    }
}

/// When answers were in tolerance again, from load start; `None` when not by the end.
///
/// Only messages that the fault itself did not touch count: those in flight are its backlog.
pub(super) fn recovered_at_us(
    plan: &Plan,
    recording: &Recording,
    stamps: &FaultStamps,
    tolerance_us: u64,
    place: usize,
) -> Option<u64> {
    let healed_us = stamps.heal_confirmed_us?;
    let answers = Answers::new(recording, plan.interval_us, place);
    let last_us = plan.load.load_us().checked_sub(CALM_US)?;
    let first = units::saturating_u32(healed_us / plan.interval_us);
    let last = units::saturating_u32(last_us / plan.interval_us);
    let calm = (first..=last).find(|&interval| answers.calm_from(interval, tolerance_us));
    calm.map(|interval| healed_us.max(u64::from(interval) * plan.interval_us))
}

/// What a fault is held against.
#[derive(Clone, Copy)]
pub(super) struct Watched<'a> {
    pub plan: &'a Plan,
    pub recording: &'a Recording,
    pub tolerance_us: u64,
    /// End of the drain, or of an interrupted run.
    pub end_us: u64,
}

/// Everything known of one fault.
pub(super) fn fault_result(
    watched: Watched<'_>,
    place: usize,
    stamps: &FaultStamps,
    reach: Option<Reach>,
    recovered_at_us: Option<u64>,
) -> FaultResult {
    let Watched {
        plan,
        recording,
        tolerance_us,
        end_us,
    } = watched;
    let fault = &plan.faults[place];
    let from_us = stamps.injecting_us;
    let impact = u8::try_from(place)
        .ok()
        .and_then(|key| recording.impact.get(&key));
    let since = |start: Option<u64>, moment: Option<u64>| Some(moment?.saturating_sub(start?));
    let touched = touched_by(recording, place);
    let bad = reach.map_or(0, |reach| bad_answers(plan, recording, reach, tolerance_us));
    FaultResult {
        name: fault.name.clone(),
        what: describe(fault),
        planned_us: fault.at_us,
        planned_for_us: fault.for_us,
        stamps: stamps.clone(),
        confirmed: stamps.confirmed_us.is_some(),
        impact_us: since(from_us, first_impact_us(watched, place, stamps)),
        detect_us: since(from_us, stamps.readiness_red_us),
        recovery_us: since(stamps.heal_confirmed_us, recovered_at_us),
        recovered_at_us,
        recovery_step_us: plan.interval_us,
        horizon_us: horizon_us(plan, stamps, end_us),
        backlog_drain_us: if touched.sent == 0 {
            Some(0)
        } else {
            since(
                stamps.heal_confirmed_us,
                impact.and_then(|impact| impact.settled_us),
            )
        },
        tolerance_us,
        delivery: touched,
        budget_burned_ratio: budget_burned(plan, bad),
        cut: reach.map_or(0, |reach| cut_within(plan, recording, reach)),
    }
}

/// When somebody first felt the fault, from load start.
fn first_impact_us(watched: Watched<'_>, place: usize, stamps: &FaultStamps) -> Option<u64> {
    let Watched {
        recording,
        tolerance_us,
        ..
    } = watched;
    let impact = recording.impact.get(&u8::try_from(place).ok()?)?;
    let from_us = stamps.injecting_us?;
    let is_slow = slow_ratio(recording, place, tolerance_us) > SLOW_RATIO_MAX;
    let slow = impact.slow.first_past(from_us, tolerance_us);
    let moments = [impact.first_us, slow.filter(|_| is_slow)];
    moments.into_iter().flatten().min()
}

/// Share of the messages that the fault touched which took longer than the tolerance, or had no good end.
fn slow_ratio(recording: &Recording, place: usize, tolerance_us: u64) -> f64 {
    let mine = |fault: Option<u8>| fault.is_some_and(|fault| usize::from(fault) == place);
    let (mut sent, mut in_time) = (0, 0);
    for (_, cell) in recording.cells.iter().filter(|(key, _)| mine(key.fault)) {
        sent += cell.delivery.sent;
        in_time += cell.complete.count_at_or_below(tolerance_us);
    }
    if sent == 0 {
        0.0
    } else {
        1.0 - in_time.min(sent) as f64 / sent as f64
    }
}

/// How long after the confirmed heal a recovery could have been seen to begin.
fn horizon_us(plan: &Plan, stamps: &FaultStamps, end_us: u64) -> u64 {
    let watched_us = plan.load.load_us().min(end_us).saturating_sub(CALM_US);
    let healed_us = stamps.heal_confirmed_us.unwrap_or(watched_us);
    watched_us.saturating_sub(healed_us)
}

fn touched_by(recording: &Recording, place: usize) -> Delivery {
    let mut counts = Delivery::default();
    for (key, cell) in &recording.cells {
        if key.fault.is_some_and(|fault| usize::from(fault) == place) {
            counts.merge(cell.delivery);
        }
    }
    counts
}

/// Slow, refused, unanswered or lost answers from injection until recovered.
fn bad_answers(plan: &Plan, recording: &Recording, reach: Reach, tolerance_us: u64) -> u64 {
    let belongs = |start_us: u64, fault: Option<u8>| match fault {
        Some(fault) => usize::from(fault) == reach.fault,
        None => (reach.from_us..reach.recovered_us).contains(&start_us),
    };
    let cells = recording
        .cells
        .iter()
        .filter(|(key, _)| belongs(u64::from(key.interval) * plan.interval_us, key.fault));
    let bad = cells.map(|(_, cell)| {
        let counts = cell.delivery;
        let slow = cell.complete.count() - cell.complete.count_at_or_below(tolerance_us);
        slow + counts.refused + counts.unanswered + counts.lost
    });
    bad.sum()
}

/// Bad answers as a share of what a day at this run's rate may have.
fn budget_burned(plan: &Plan, bad: u64) -> f64 {
    let talkers = plan.load.mix.iter().filter(|share| share.behavior.sends());
    let clients: u32 = talkers.map(|share| share.clients).sum();
    let per_day = f64::from(clients) * DAY_US / plan.load.message.every_us.max(1) as f64;
    if per_day > 0.0 {
        units::short(bad as f64 / (per_day * BUDGET_RATIO))
    } else {
        0.0
    }
}

fn cut_within(plan: &Plan, recording: &Recording, reach: Reach) -> u64 {
    let first = units::saturating_u32(reach.from_us / plan.interval_us);
    let last = units::saturating_u32(reach.recovered_us / plan.interval_us);
    let closes = recording
        .sessions
        .range(first..=last)
        .flat_map(|(_, interval)| &interval.closes);
    closes
        .filter(|((_, cause), _)| *cause == CloseCause::Cut)
        .map(|(_, count)| count)
        .sum()
}

fn link_words(link: Link) -> &'static str {
    match link {
        Link::Redis => "link to Redis",
        Link::RedisTokens => "link to Redis (tokens)",
        Link::RedisTasks => "link to Redis (task queue)",
        Link::RedisChannel => "link to Redis (channel layer)",
        Link::Edge => "link from clients to server",
    }
}

/// What was done, in words.
pub(super) fn describe(fault: &PlannedFault) -> String {
    let link = fault.kind.link().map(link_words);
    let part = link.or(fault.kind.reach().process()).unwrap_or_default();
    let effect = fault.kind.effect();
    let share = match fault.toxicity_ratio {
        share if share < 1.0 => format!(" for {} of the connections", percent(share)),
        _ => String::new(),
    };
    let time = if fault.condition && fault.at_us == 0 {
        ", all the time".to_owned()
    } else if fault.condition {
        format!(", from {} to the end", units::print_us(fault.at_us))
    } else if fault.kind.is_moment() {
        String::new()
    } else {
        format!(" for {}", units::print_us(fault.for_us))
    };
    format!("{part} {effect}{share}{time}")
}
