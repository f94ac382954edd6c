//! This module draws the change of one metric: every run or pair as a dot, the interval, and the limits.
//!
//! **In:** a row of a comparison. **Out:** share of change over the number of the pair; without pairs, each run of both sides
//! against the median of the base.

use super::axis::Axis;
use super::chart::Chart;
use super::draw::{Series, Shape, dot};
use super::frame::Frame;
use super::limit::LimitLine;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::gate::comparison::{Row, Word};
use crate::render::renderer::RenderError;
use crate::result::CheckStatus;

/// Dots that are drawn of a series: more are a smear, and a page of megabytes.
const DOTS_MAX: usize = 400;

/// The chart of a row, by the name it has in reports; `None` where nothing was compared.
pub(crate) fn chart(row: &Row, name: &str) -> Result<Option<Chart>, RenderError> {
    let (Some(change), Some(low), Some(high), Some(limit)) = (
        row.change_ratio,
        row.low_ratio,
        row.high_ratio,
        row.limit_ratio,
    ) else {
        return Ok(None);
    };
    let dots = dots(row);
    let count = dots.iter().map(|(_, dots)| dots.len()).max().unwrap_or(0);
    let all = || dots.iter().flat_map(|(_, dots)| dots).copied();
    let reach = [low, high, limit, -limit];
    let least = all().chain(reach).fold(0.0, f64::min);
    let most = all().chain(reach).fold(0.0, f64::max);
    let (x, y) = (Axis::runs(count), Axis::change(least, most));
    let mut series = dotted(&dots, dot(&x, &y));
    series.extend(lines((x.low, x.high), change, (low, high)));
    let sketch = Sketch {
        id: "change".into(),
        title: format!("Change of `{name}`"),
        subject: "Change by run",
        finding: format!(
            "{}, 95 % sure of {} to {}; the limit is {}.",
            format::change(change),
            format::change(low),
            format::change(high),
            format::change(limit)
        ),
        series,
    };
    let limit_line = LimitLine {
        spans: vec![(x.low, x.high)],
        y: limit,
        text: format!("limit {}", format::change(limit)),
        status: match row.word {
            Word::Slower => CheckStatus::Broke,
            Word::CannotTell if !row.within => CheckStatus::Inconclusive,
            Word::CannotTell | Word::Faster | Word::Same => CheckStatus::Held,
        },
    };
    let x_name = if row.pair_ratios.is_empty() {
        "run of its side, in order of time"
    } else {
        "pair, in order of time"
    };
    let drawn = sketch.draw(|width| Frame {
        kind: "runs",
        width: width.pick(1040, 340),
        height: width.pick(220, 200),
        x: x.clone(),
        y: y.clone(),
        x_name,
        bands: Vec::new(),
        marks: Vec::new(),
        limits: vec![limit_line.clone()],
        events: Vec::new(),
    });
    drawn.map(Some)
}

fn dotted(dots: &[(&'static str, Vec<f64>)], size: (f64, f64)) -> Vec<Series> {
    let colors = [palette::SERIES_1, palette::SERIES_2];
    let sides = dots.iter().zip(colors);
    let series = sides.map(|((name, dots), color)| {
        let points = dots.iter().enumerate();
        let points = points.map(|(place, dot)| ((place + 1) as f64, *dot));
        Series::new(name, color, Shape::Dots(size, points.collect()))
    });
    series.collect()
}

/// The change and its interval, across the plot.
fn lines((from, to): (f64, f64), change: f64, (low, high): (f64, f64)) -> [Series; 3] {
    let line = |at, legend: Option<&str>| {
        let points = vec![(from, at), (to, at)];
        Series::new("interval", palette::SERIES_3, Shape::Line(points))
            .legend(legend.map(str::to_owned))
    };
    [
        line(change, Some("change")).pen(2.5),
        line(low, Some("95 % sure")).pen(1.0),
        line(high, None).pen(1.0),
    ]
}

/// Of pairs their change; else each run against the median of the base.
fn dots(row: &Row) -> Vec<(&'static str, Vec<f64>)> {
    if !row.pair_ratios.is_empty() {
        let dots = row.pair_ratios.iter().copied().take(DOTS_MAX);
        return vec![("pair", dots.collect())];
    }
    let wait = row.wait.unwrap_or(0.0);
    let usual = row.base_own_median.or(row.base_median).unwrap_or(1.0);
    let side = |values: &[f64]| {
        let values = values.iter().take(DOTS_MAX);
        values.map(|value| (value - wait) / usual - 1.0).collect()
    };
    vec![("base", side(&row.base)), ("new", side(&row.new))]
}
