//! This module draws how late the harness itself was.
//!
//! **In:** `series.lateness_*`, `series.lines`. **Out:** steps on a log axis with the limit at which the run would
//! be invalid.

use super::axis::{Axis, log_us};
use super::chart::Chart;
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::over_time::Line;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::result::{Lined, RunResult};
use crate::scenario::expectation::Statistic;
use crate::units::seconds;

/// The axis begins at 10 µs: nothing below matters.
const LEAST_US: f64 = 10.0;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let most = result.series.lateness_max_us.iter().flatten().max();
    let most = most.copied().unwrap_or(0);
    let limit_us = result.generator.lateness_limit_us;
    let most = most.max(limit_us.unwrap_or(0)).max(1_000) as f64;
    let lines = lines(result);
    let series = lines
        .iter()
        .map(|line| line.series(line.statistic.name().to_owned()));
    let limit = limit_us.map(|limit_us| limit(result, limit_us));
    let from_above = series.chain(limit).enumerate();
    let sketch = Sketch {
        id: "lateness".into(),
        title: "Lateness: how late the harness itself was".to_owned(),
        subject: "Lateness of the harness over the run",
        finding: finding(result),
        series: from_above.map(|(place, one)| one.depth(place)).collect(),
    };
    sketch.draw(|width| Frame {
        height: 120,
        y: Axis::latency(LEAST_US, most),
        ..Frame::over_time(result, width)
    })
}

/// Every line that has a value; a percentile that the usual step does not support is drawn in longer ones.
fn lines(result: &RunResult) -> Vec<Line<'_>> {
    let of = &result.series;
    let longer = || of.lines.iter().filter(|line| line.of == Lined::Lateness);
    let lines = [
        (Statistic::P50, palette::SERIES_1, 1.4, &of.lateness_p50_us),
        (Statistic::P99, palette::SERIES_2, 1.4, &of.lateness_p99_us),
        (Statistic::Max, palette::SERIES_3, 1.2, &of.lateness_max_us),
    ];
    let lines = lines.map(|(statistic, color, pen_px, values_us)| {
        let usual = Line {
            statistic,
            color,
            pen_px,
            step_us: of.step_us,
            values_us,
        };
        usual.longer(longer())
    });
    lines.into_iter().filter(Line::has_value).collect()
}

/// From which p99 on the run is invalid.
fn limit(result: &RunResult, limit_us: u64) -> Series {
    let (y, end) = (log_us(limit_us), seconds(result.run.duration_us));
    let line = Shape::Line(vec![(0.0, y), (end, y)]);
    let limit = format::round_duration(limit_us as f64);
    let legend = format!("invalid when p99 passes {limit}");
    Series::new("limit", palette::LIMIT, line).legend(Some(legend))
}

fn finding(result: &RunResult) -> String {
    let Some(late) = result.lateness else {
        return "Nothing was sent.".to_owned();
    };
    let judged = crate::result::lateness_text(result);
    format!(
        "From the moment a socket was ready to the write, pauses of the machine included: p50 {}, p99 {}, max {} over {} sends. Judged: {judged}.",
        format::duration(late.p50_us),
        format::duration(late.p99_us),
        format::duration(late.max_us),
        format::count(late.count)
    )
}
