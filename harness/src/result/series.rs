//! This module lays a run out over time: the lines of every chart.
//!
//! **In:** the recording and the sampled numbers of open sockets and of messages in flight. **Out:** [`Series`].
//!
//! A percentile is given only where at least 1/(1−p) answers support it; elsewhere the line has a
//! gap. Percentiles of longer steps come from merged histograms, never from averages.
//!
//! **Units:** microseconds. Long runs get longer steps, so that no line has more than
//! [`STEPS_MAX`] points and the table no more than [`ROWS_MAX`] rows.

use super::facts::{Facts, Gauges};
use super::heat::heat;
use super::intervals::{Intervals, cells, complete_of, lateness_of};
use super::line::{lines, supports};
use super::windows::closes;
use super::{Delivery, Second, Series, usage};
use crate::plan::Plan;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::{CloseCause, Recording, SessionInterval};
use crate::units;
use crate::units::US_PER_S;

/// Points of a line at most.
const STEPS_MAX: u64 = 1_200;
/// Rows of the per-second table at most.
const ROWS_MAX: u64 = 600;

/// The run over time.
pub(super) fn series(facts: &Facts) -> Series {
    let Facts {
        plan,
        recording,
        gauges,
        ..
    } = facts;
    let intervals = facts.end_us.div_ceil(plan.interval_us).max(1);
    let per_step = intervals.div_ceil(STEPS_MAX).max(1);
    let per_row = US_PER_S
        .div_ceil(plan.interval_us)
        .max(1)
        .max(intervals.div_ceil(ROWS_MAX));
    let mut series = Series {
        step_us: per_step * plan.interval_us,
        second_us: per_row * plan.interval_us,
        ..Series::default()
    };
    for step in 0..intervals.div_ceil(per_step) {
        push_step(
            &mut series,
            recording,
            gauges,
            step * per_step..(step + 1) * per_step,
        );
    }
    reconnects(
        &mut series,
        plan,
        recording,
        intervals.div_ceil(per_step),
        per_step,
    );
    for row in 0..intervals.div_ceil(per_row) {
        let range = row * per_row..(row + 1) * per_row;
        push_second(
            &mut series,
            recording,
            &gauges.open,
            range,
            plan.interval_us,
        );
    }
    series.lines = lines(&series, plan, recording);
    series.usage = usage::lines(&facts.usage, series.second_us, series.per_second.len());
    series.heat = heat(
        recording,
        intervals.div_ceil(per_step),
        per_step,
        plan.interval_us,
    );
    series
}

/// The value of a percentile, where enough values support it.
fn supported(histogram: &SparseHistogram, quantile: f64) -> Option<u64> {
    supports(histogram.count(), quantile).then(|| histogram.value_at(quantile))
}

/// A gauge at the end of a stretch.
fn at_end(gauge: &[u64], range: &Intervals) -> u64 {
    let last = usize::try_from(range.end.saturating_sub(1)).unwrap_or(usize::MAX);
    gauge.get(last).or(gauge.last()).copied().unwrap_or(0)
}

fn push_step(series: &mut Series, recording: &Recording, gauges: &Gauges, range: Intervals) {
    let complete = complete_of(recording, &range);
    series.complete_p50_us.push(supported(&complete, 0.5));
    series.complete_p99_us.push(supported(&complete, 0.99));
    series
        .complete_max_us
        .push((!complete.is_empty()).then(|| complete.max_us()));
    series.complete_count.push(complete.count());
    let lateness = lateness_of(recording, &range);
    series.lateness_p50_us.push(supported(&lateness, 0.5));
    series.lateness_p99_us.push(supported(&lateness, 0.99));
    series
        .lateness_max_us
        .push((!lateness.is_empty()).then(|| lateness.max_us()));
    series.open.push(at_end(&gauges.open, &range));
    if !gauges.in_flight.is_empty() {
        series.in_flight.push(at_end(&gauges.in_flight, &range));
    }
}

/// Attempts after a cut, and their ideal spread.
fn reconnects(series: &mut Series, plan: &Plan, recording: &Recording, steps: u64, per_step: u64) {
    let all = recording.sessions.values();
    if all.clone().all(|sessions| sessions.reconnect_attempts == 0) {
        return;
    }
    let length = usize::try_from(steps).unwrap_or(0);
    let mut attempts = vec![0; length];
    let mut ideal = vec![0.0; length];
    let spread_us = plan.load.reconnect.first_us.max(1);
    let spread = spread_us.div_ceil(series.step_us).max(1);
    for (&interval, sessions) in &recording.sessions {
        let step = usize::try_from(u64::from(interval) / per_step).unwrap_or(usize::MAX);
        if let Some(attempts) = attempts.get_mut(step) {
            *attempts += sessions.reconnect_attempts;
        }
        let closes = sessions.closes.iter();
        let cut = closes.filter(|((_, cause), _)| *cause == CloseCause::Cut);
        let cut: u64 = cut.map(|(_, count)| count).sum();
        let each = cut as f64 / spread as f64;
        let until = step.saturating_add(usize::try_from(spread).unwrap_or(usize::MAX));
        for ideal in ideal.iter_mut().take(until).skip(step) {
            *ideal += each;
        }
    }
    series.reconnects = attempts;
    series.reconnects_ideal = ideal.into_iter().map(units::short).collect();
}

fn push_second(
    series: &mut Series,
    recording: &Recording,
    open: &[u64],
    range: Intervals,
    interval_us: u64,
) {
    let complete = complete_of(recording, &range);
    series.complete_p999_us.push(supported(&complete, 0.999));
    let mut delivery = Delivery::default();
    for cell in cells(recording, &range) {
        delivery.merge(cell.delivery);
    }
    let mut sessions = SessionInterval::default();
    let (first, end) = (
        units::saturating_u32(range.start),
        units::saturating_u32(range.end),
    );
    for (_, part) in recording.sessions.range(first..end) {
        sessions.merge(part);
    }
    let mut errors = std::collections::BTreeMap::new();
    for ((interval, kind), count) in &recording.failures {
        if (first..end).contains(interval) {
            *errors.entry(kind.to_string()).or_insert(0) += count;
        }
    }
    series.per_second.push(Second {
        at_us: range.start * interval_us,
        open: at_end(open, &range),
        opened: sessions.opened,
        reconnect_attempts: sessions.reconnect_attempts,
        tokens_ok: sessions.tokens_ok,
        tokens_failed: sessions.tokens_failed,
        delivery,
        complete: complete.summary(),
        closes_cut: closes(&sessions, CloseCause::Cut),
        closes_planned: closes(&sessions, CloseCause::Planned),
        closes_violation: closes(&sessions, CloseCause::Violation),
        errors,
    });
}
