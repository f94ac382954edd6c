//! This module draws how clients came back after they were cut: a storm, or one by one.
//!
//! **In:** `series.reconnects` and their ideal spread. **Out:** bars, and the ideal as a line: every client that
//! was cut comes back evenly within its first backoff.

use super::axis::Axis;
use super::chart::{Chart, ReadingUnit};
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::result::RunResult;
use crate::units::seconds;

/// Part of a bin that its bar fills.
const FILLED: f64 = 0.84;

/// `None`: nobody had to come back.
pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let series_of = &result.series;
    if series_of.reconnects.is_empty() {
        return Ok(None);
    }
    let most = series_of.reconnects.iter().max().copied().unwrap_or(1);
    let ideal = series_of
        .reconnects_ideal
        .iter()
        .copied()
        .fold(0.0, f64::max);
    let step = seconds(series_of.step_us);
    let bars = series_of.reconnects.iter().enumerate();
    let bars = bars.filter(|(_, count)| **count > 0);
    let bars = bars.map(|(place, &count)| {
        let left = step * (place as f64 + (1.0 - FILLED) / 2.0);
        (left, left + step * FILLED, count as f64)
    });
    let spread = series_of.reconnects_ideal.iter();
    let spread = spread.map(|&each| (each > 0.0).then_some(each));
    let counts = series_of.reconnects.iter().copied().map(Some);
    let attempts = Series::new(
        "attempts",
        palette::SERIES_1,
        Shape::Bars(0.0, bars.collect()),
    );
    let spread = Series::new(
        "ideal",
        palette::SERIES_2,
        Shape::Steps(step, spread.collect()),
    );
    let step_text = format::round_duration(series_of.step_us as f64);
    let sketch = Sketch {
        id: "reconnects".into(),
        title: format!("Attempts to come back, every {step_text}"),
        subject: "Reconnect attempts over the run",
        finding: finding(result, most, ideal),
        series: vec![
            attempts.read("attempts", ReadingUnit::Count, step, counts),
            spread.legend(Some("ideal spread".to_owned())),
        ],
    };
    let drawn = sketch.draw(|width| Frame {
        height: width.pick(120, 110),
        y: Axis::count(most.max(crate::units::rounded(ideal))),
        ..Frame::over_time(result, width)
    });
    drawn.map(Some)
}

fn finding(result: &RunResult, most: u64, ideal: f64) -> String {
    format!(
        "{} attempts after {} cuts; at most {} in one bin, where an even spread over the first backoff of {} has {}.",
        format::count(result.clients.reconnect_attempts),
        format::count(result.clients.cut),
        format::count(most),
        format::round_duration(result.plan.load.reconnect.first_us as f64),
        format::count_f64(ideal.ceil()),
    )
}
