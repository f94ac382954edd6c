//! This module says whether a probe was steady: whether the part of it that counts began after it had warmed up, and whether
//! the service kept up.
//!
//! **In:** what was in flight and how fast answers were, step by step (250 ms), from the end of the ramp to the end of the load.
//! **Out:** [`Steady`]. **Units:** messages; microseconds.
//!
//! **Method.** Warm-up: the marginal standard error rule over batches of five steps (MSER-5) says how many steps to leave out, at
//! most half; when the halves of what is left still differ, the probe had not settled. Keeping up: the Mann-Kendall test for a trend of what was
//! in flight in the steps that are left; a backlog that grows all the time is no steady state, however long it is watched.
//!
//! **Source:** White, "An effective truncation heuristic for bias reduction in simulation output" (Simulation 1997);
//! Mann (1945) and Kendall (1975) on rank tests against trend.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Steps of a batch.
const BATCH: usize = 5;
/// Fewest batches from which anything is said.
const BATCHES_MIN: usize = 4;
/// Standard deviations from which on a trend is one: one in a hundred by chance, one-sided.
const TREND_MIN: f64 = 2.326;
/// A backlog that grows by less than this part of what is offered is none.
const GROWTH_RATIO_MIN: f64 = 0.01;
/// A warm-up is by so much slower or faster than the rest, and by so many standard errors.
const WARM_RATIO_MIN: f64 = 0.2;
const APART_MIN: f64 = 4.0;
/// Steps that are compared with each other, at most: more are thinned.
const STEPS_MAX: usize = 2_000;

/// What is known of the steadiness of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Steady {
    /// What is left without the warm-up is of one kind.
    pub settled: bool,
    /// Length of the warm-up after the ramp, microseconds.
    pub warm_up_us: u64,
    /// By how much the backlog grew, messages per second; `None`: it did not.
    pub backlog_growth_per_s: Option<f64>,
}

/// Judges steps of `step_us` each. `median_us`: response time where there were answers; `in_flight` at the end of the step;
/// `offered_per_s` messages. `None`: too short to tell.
pub(super) fn steady(
    median_us: &[Option<f64>],
    in_flight: &[u64],
    (step_us, offered_per_s): (u64, f64),
) -> Option<Steady> {
    let medians = filled(median_us)?;
    let left_out = mser(&medians)?;
    let (warm, rest) = medians.split_at(left_out);
    // The rule leaves out something of pure noise too.
    let left_out = if differ(warm, rest) { left_out } else { 0 };
    let rest = &medians[left_out..];
    let (early, late) = rest.split_at(rest.len() / 2);
    let in_flight = in_flight.iter().skip(left_out);
    let in_flight: Vec<f64> = in_flight.map(|count| *count as f64).collect();
    Some(Steady {
        settled: !differ(early, late),
        warm_up_us: left_out as u64 * step_us,
        backlog_growth_per_s: growth(&in_flight, step_us)
            .filter(|per_s| *per_s > offered_per_s * GROWTH_RATIO_MIN),
    })
}

/// Two stretches are not of one kind: by share, and by standard errors.
fn differ(one: &[f64], other: &[f64]) -> bool {
    if one.is_empty() || other.is_empty() {
        return false;
    }
    let ((one, one_spread), (other, other_spread)) = (moments(one), moments(other));
    let off = (one - other).abs();
    off > one.min(other) * WARM_RATIO_MIN && off > APART_MIN * (one_spread + other_spread).sqrt()
}

/// The mean, and the variance of the mean.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    if values.len() < 2 {
        return (values.first().copied().unwrap_or(0.0), 0.0);
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

/// A step without an answer says as much as the one before it.
fn filled(median_us: &[Option<f64>]) -> Option<Vec<f64>> {
    let mut last = median_us.iter().flatten().copied().next()?;
    let filled = median_us.iter().map(|median| {
        last = median.unwrap_or(last);
        last
    });
    Some(filled.collect())
}

/// How many steps the rule leaves out.
fn mser(filled: &[f64]) -> Option<usize> {
    let (batches, _) = filled.as_chunks::<BATCH>();
    if batches.len() < BATCHES_MIN {
        return None;
    }
    let batches = batches
        .iter()
        .map(|batch| batch.iter().sum::<f64>() / BATCH as f64);
    let batches: Vec<f64> = batches.collect();
    let mut best = (f64::INFINITY, 0);
    // Of few batches at the end the spread says nothing: half of all are always left.
    for from in 0..=batches.len() / 2 {
        let rest = &batches[from..];
        let count = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / count;
        let squares: f64 = rest.iter().map(|batch| (batch - mean).powi(2)).sum();
        let error = squares / (count * count);
        if error < best.0 * (1.0 - 1e-9) {
            best = (error, from);
        }
    }
    Some(best.1 * BATCH)
}

/// Growth per second where there is a trend.
fn growth(counts: &[f64], step_us: u64) -> Option<f64> {
    let thin = counts.len().div_ceil(STEPS_MAX).max(1);
    let counts: Vec<f64> = counts.iter().copied().step_by(thin).collect();
    let length = counts.len();
    if length < BATCH * 2 {
        return None;
    }
    let mut score = 0_i64;
    let mut slopes = Vec::new();
    for (place, early) in counts.iter().enumerate() {
        for (later, late) in counts.iter().enumerate().skip(place + 1) {
            score += i64::from(late > early) - i64::from(late < early);
            slopes.push((late - early) / (later - place) as f64);
        }
    }
    let count = length as f64;
    let deviation = (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
    // Neighbours are alike: what is in flight now is there a moment later too. So the trend must be that much clearer.
    let deviation = deviation * alike(&counts);
    if (score as f64) < TREND_MIN * deviation {
        return None;
    }
    slopes.sort_by(f64::total_cmp);
    let slope = slopes.get(slopes.len() / 2)?;
    Some(slope * 1e6 / (step_us * thin as u64).max(1) as f64)
}

/// By how much the error of a mean is larger than if neighbours were independent; 1 where they are.
pub(super) fn alike(samples: &[f64]) -> f64 {
    let alike = correlation(samples).max(0.0);
    ((1.0 + alike) / (1.0 - alike).max(0.05)).sqrt()
}

/// Of each with its neighbour, the straight line through them left out.
fn correlation(counts: &[f64]) -> f64 {
    let length = counts.len() as f64;
    let (middle, mean) = ((length - 1.0) / 2.0, counts.iter().sum::<f64>() / length);
    let mut slope = 0.0;
    let mut spread = 0.0;
    for (place, count) in counts.iter().enumerate() {
        let from_middle = place as f64 - middle;
        slope += from_middle * (count - mean);
        spread += from_middle.powi(2);
    }
    let slope = slope / spread.max(1e-9);
    let rest: Vec<f64> = counts
        .iter()
        .enumerate()
        .map(|(place, count)| count - mean - slope * (place as f64 - middle))
        .collect();
    let all: f64 = rest.iter().map(|value| value * value).sum();
    if all <= 0.0 {
        return 0.0;
    }
    let both: f64 = rest.windows(2).map(|pair| pair[0] * pair[1]).sum();
    both / all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::synthetic::Dice;

    const STEP_US: u64 = 250_000;

    fn judged(median_us: impl Fn(usize) -> f64, in_flight: impl Fn(usize) -> f64) -> Steady {
        let mut dice = Dice::new(9);
        let means: Vec<Option<f64>> = (0..80)
            .map(|step| Some(median_us(step) * (1.0 + 0.05 * dice.normal())))
            .collect();
        let flights: Vec<u64> = (0..80)
            .map(|step| crate::units::rounded((in_flight(step) + 3.0 * dice.normal()).max(0.0)))
            .collect();
        steady(&means, &flights, (STEP_US, 200.0)).unwrap()
    }

    #[test]
    fn what_is_steady_from_the_start_has_no_warm_up_to_speak_of() {
        let found = judged(|_| 10_000.0, |_| 40.0);
        assert!(found.settled && found.warm_up_us <= 5_000_000, "{found:?}");
        assert_eq!(found.backlog_growth_per_s, None);
    }

    #[test]
    fn noise_is_no_warm_up() {
        let mut dice = Dice::new(12);
        let mut unsettled = 0;
        for _ in 0..300 {
            let medians: Vec<Option<f64>> = (0..32)
                .map(|_| Some(10_000.0 * (1.0 + 0.3 * dice.normal().abs())))
                .collect();
            let steady = steady(&medians, &[40; 32], (STEP_US, 200.0)).unwrap();
            unsettled += u32::from(!steady.settled);
        }
        assert!(unsettled <= 6, "{unsettled} of 300");
    }

    #[test]
    fn a_warm_up_is_left_out() {
        let slow = |step: usize| if step < 20 { 100_000.0 } else { 10_000.0 };
        let found = judged(slow, |_| 40.0);
        assert!(found.settled, "{found:?}");
        assert!(
            (5_000_000..=10_000_000).contains(&found.warm_up_us),
            "{found:?}"
        );
    }

    #[test]
    fn a_warm_up_over_more_than_half_is_not_settled() {
        let slow = |step: usize| if step < 60 { 100_000.0 } else { 10_000.0 };
        assert!(!judged(slow, |_| 40.0).settled);
    }

    #[test]
    fn a_backlog_that_grows_all_the_time_is_seen() {
        let found = judged(
            |step| 10_000.0 + 500.0 * step as f64,
            |step| 5.0 * step as f64,
        );
        let growth = found.backlog_growth_per_s.unwrap();
        assert!((15.0..25.0).contains(&growth), "{growth}");
        let hardly = judged(|_| 10_000.0, |step| 40.0 + 0.1 * step as f64);
        assert_eq!(hardly.backlog_growth_per_s, None, "0.4 of 200 a second");
    }

    #[test]
    fn too_short_a_probe_says_nothing() {
        assert_eq!(steady(&[Some(1.0); 19], &[1; 19], (STEP_US, 1.0)), None);
        assert_eq!(steady(&[None; 80], &[1; 80], (STEP_US, 1.0)), None);
    }

    #[test]
    fn chance_is_rarely_a_backlog() {
        let mut dice = Dice::new(10);
        let mut found = 0;
        for _ in 0..300 {
            // A queue's length wanders: neighbours are alike.
            let mut level = 40.0;
            let flights: Vec<u64> = (0..80)
                .map(|_| {
                    level += 0.5 * (40.0 - level) + 5.0 * dice.normal();
                    crate::units::rounded(level.max(0.0))
                })
                .collect();
            let steady = steady(&[Some(1.0); 80], &flights, (STEP_US, 1.0)).unwrap();
            found += u32::from(steady.backlog_growth_per_s.is_some());
        }
        assert!(found <= 12, "{found} of 300");
    }
}
