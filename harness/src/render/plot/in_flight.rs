//! This module draws how many messages were waiting for their answer.
//!
//! **In:** `series.in_flight`. **Out:** an area on a linear axis; no chart for results of versions that did not sample it.

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

pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let values = &result.series.in_flight;
    let Some(&most) = values.iter().max().filter(|most| **most > 0) else {
        return Ok(None);
    };
    let step = seconds(result.series.step_us);
    let mut at = 0.0;
    let point = |&count: &u64| {
        at += step;
        (at, count as f64)
    };
    let points = [(0.0, 0.0)].into_iter().chain(values.iter().map(point));
    let waiting = Series::new("waiting", palette::SERIES_1, Shape::Area(points.collect()));
    let counts = values.iter().copied().map(Some);
    let sketch = Sketch {
        id: "in-flight".into(),
        title: "Messages waiting for their answer".to_owned(),
        subject: "Messages in flight over the run",
        finding: finding(result, most),
        series: vec![waiting.read("waiting", ReadingUnit::Count, step, counts)],
    };
    let chart = sketch.draw(|width| Frame {
        height: 100,
        y: Axis::count(most),
        ..Frame::over_time(result, width)
    });
    chart.map(Some)
}

fn finding(result: &RunResult, most: u64) -> String {
    let series = &result.series;
    let place = series.in_flight.iter().position(|count| *count == most);
    let at_us = (place.unwrap_or(0) as u64 + 1).saturating_mul(series.step_us);
    format!(
        "At most {} when it was looked at, at {} s. What waits longer than usual is asked for faster than it is answered.",
        format::count(most),
        format::rough_stamp(at_us)
    )
}
