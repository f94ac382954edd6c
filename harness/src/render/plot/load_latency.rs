//! This module draws latency against load: each second of the run as a dot.
//!
//! **In:** `series.per_second`. **Out:** p50 and p99 of a second over how many messages were to be sent in it; no chart of a
//! run whose load hardly changed, where it would say nothing.

use super::axis::{Axis, log_us};
use super::chart::{Chart, Width};
use super::draw::{Series, Shape, dotted};
use super::frame::Frame;
use super::palette;
use super::per_second::row_name;
use super::sketch::Sketch;
use crate::render::renderer::RenderError;
use crate::result::{RunResult, Second, Summary};
use crate::units::{self, seconds};

/// Highest rate over lowest, from which on the load is said to have changed.
const CHANGE_MIN: f64 = 1.5;
/// Answers without which a p99 is none.
const P99_SAMPLES: u64 = 100;
/// Rates under this share of the highest are of seconds in which a load begins or ends.
const RATE_RATIO_MIN: f64 = 0.02;
/// Dots of a picture; more would lie on each other.
const DOTS_MAX: usize = 300;
/// Seconds that are compared at each end of the range.
const TAIL_RATIO: f64 = 0.1;

/// A second with answers: how many messages were to be sent, and how long they took.
struct Dot {
    rate: f64,
    of: Summary,
}

pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let dots = dots(result);
    if !changes(&dots) {
        return Ok(None);
    }
    let place = |pick: fn(&Summary) -> u64, least: u64| -> Vec<(f64, f64)> {
        let enough = dots.iter().filter(|dot| dot.of.count >= least);
        enough
            .map(|dot| (dot.rate, log_us(pick(&dot.of))))
            .collect()
    };
    let most = dots.iter().map(|dot| dot.rate).fold(1.0, f64::max);
    let least_us = dots.iter().map(|dot| dot.of.p50_us).min().unwrap_or(1);
    let most_us = dots.iter().map(|dot| dot.of.p99_us).max().unwrap_or(1);
    let (x, y, size) = dotted(
        Axis::count(units::rounded(most.ceil())),
        Axis::latency(least_us as f64, most_us as f64),
    );
    let series = vec![
        Series::new(
            "p50",
            palette::SERIES_1,
            Shape::Dots(size, place(|of| of.p50_us, 1)),
        ),
        Series::new(
            "p99",
            palette::SERIES_2,
            Shape::Dots(size, place(|of| of.p99_us, P99_SAMPLES)),
        ),
    ];
    let sketch = Sketch {
        id: "load-latency".into(),
        title: "Response time of `complete` against load".to_owned(),
        subject: "Response time over messages per second",
        finding: format!(
            "Each dot is one {} of the run. Where the dots turn upwards, the service has met a limit; those of a fault lie above the others at the same load.",
            row_name(result)
        ),
        series,
    };
    let chart = sketch.draw(|width: Width| Frame {
        kind: "load",
        height: width.pick(220, 180),
        x: x.clone(),
        y: y.clone(),
        x_name: "messages per second",
        bands: Vec::new(),
        ..Frame::over_time(result, width)
    });
    chart.map(Some)
}

fn dots(result: &RunResult) -> Vec<Dot> {
    let step = seconds(result.series.second_us.max(1));
    let dot = |row: &Second| {
        let of = row.complete.filter(|of| of.count > 0)?;
        let rate = row.delivery.sent as f64 / step;
        Some(Dot { rate, of })
    };
    let mut dots: Vec<Dot> = result.series.per_second.iter().filter_map(dot).collect();
    let most = dots.iter().map(|dot| dot.rate).fold(0.0, f64::max);
    dots.retain(|dot| dot.rate >= most * RATE_RATIO_MIN);
    let every = dots.len().div_ceil(DOTS_MAX).max(1);
    dots.into_iter().step_by(every).collect()
}

/// Whether the load was not nearly the same all the time, whatever a few seconds at its ends were.
fn changes(dots: &[Dot]) -> bool {
    let mut rates: Vec<f64> = dots.iter().map(|dot| dot.rate).collect();
    rates.sort_by(f64::total_cmp);
    let tail = units::rounded(rates.len() as f64 * TAIL_RATIO);
    let tail = usize::try_from(tail).unwrap_or(0);
    let low = rates.get(tail);
    let high = rates.get(rates.len().saturating_sub(tail + 1));
    low.zip(high)
        .is_some_and(|(low, high)| *high >= low * CHANGE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots_of(rates: &[f64]) -> Vec<Dot> {
        let of = Summary {
            count: 200,
            min_us: 1,
            mean_us: 1.0,
            p50_us: 1,
            p90_us: 1,
            p95_us: 1,
            p99_us: 1,
            p999_us: 1,
            max_us: 1,
        };
        rates.iter().map(|&rate| Dot { rate, of }).collect()
    }

    #[test]
    fn a_ramp_changes_the_load_and_a_single_odd_second_does_not() {
        let steady: Vec<f64> = (0..30)
            .map(|at| if at == 0 { 10.0 } else { 100.0 })
            .collect();
        assert!(!changes(&dots_of(&steady)));
        let ramp: Vec<f64> = (0..30).map(|at| 100.0 + 10.0 * f64::from(at)).collect();
        assert!(changes(&dots_of(&ramp)));
        assert!(!changes(&[]));
    }
}
