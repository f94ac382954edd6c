//! This module draws one metric through the points of a history: each point, the levels between changes, and the changes.
//!
//! **In:** a metric of a trend. **Out:** its own time or cost over the number of the point.

use super::axis::Axis;
use super::chart::Chart;
use super::draw::{Series, Shape, dot};
use super::frame::{Frame, Mark};
use super::label::Side;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::gate::metric::MetricUnit;
use crate::gate::trend::MetricTrend;
use crate::render::renderer::RenderError;

/// What the page says around the picture.
pub(crate) struct Said {
    /// Unique on the page.
    pub id: String,
    /// May hold `code`.
    pub title: String,
    pub finding: String,
}

/// The chart; `None` where no point has the metric.
pub(crate) fn chart(of: &MetricTrend, said: Said) -> Result<Option<Chart>, RenderError> {
    let places = of.values.iter().enumerate();
    let points: Vec<(f64, f64)> = places
        .filter_map(|(place, value)| Some((at(place), (*value)?)))
        .collect();
    let values = || points.iter().map(|(_, value)| *value);
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(0.0, f64::max);
    if points.is_empty() {
        return Ok(None);
    }
    let text = |value: f64| match of.unit {
        MetricUnit::Microseconds => format::round_duration(value),
        MetricUnit::Bytes | MetricUnit::Ratio => of.unit.text(value),
    };
    // Noise that fills the height looks like a change.
    let room = ((most - least) * 0.1).max(most * 0.02);
    let low = (least - room).max(0.0);
    let (x, y) = (
        Axis::runs(of.values.len()),
        Axis::span((low, most + room), of.unit.least(), text),
    );
    let mut series = levels(of);
    series.push(
        Series::new(
            "each",
            palette::SERIES_1,
            Shape::Dots(dot(&x, &y), points.clone()),
        )
        .legend(Some("median over the runs of a point".to_owned())),
    );
    series.push(
        Series::new("each", palette::SERIES_1, Shape::Line(points))
            .pen(0.8)
            .depth(1)
            .legend(None),
    );
    let marks: Vec<Mark> = of
        .changes
        .iter()
        .map(|change| Mark {
            at: at(change.point) - 0.5,
            text: format::change(change.change_ratio),
            class: if change.change_ratio > 0.0 {
                "bad"
            } else {
                "good"
            },
            side: Side::Right,
        })
        .collect();
    let sketch = Sketch {
        id: said.id.into(),
        title: said.title,
        subject: "A metric over time",
        finding: said.finding,
        series,
    };
    let drawn = sketch.draw(|width| Frame {
        kind: "runs",
        width: width.pick(1040, 340),
        height: width.pick(180, 160),
        x: x.clone(),
        y: y.clone(),
        x_name: "point of the history, in order of time",
        bands: Vec::new(),
        marks: marks.clone(),
        limits: Vec::new(),
        events: Vec::new(),
    });
    drawn.map(Some)
}

/// Where a point stands.
fn at(place: usize) -> f64 {
    (place + 1) as f64
}

/// The levels before, between and after the changes.
fn levels(of: &MetricTrend) -> Vec<Series> {
    let mut lines = Vec::new();
    let mut from = 0.5;
    for change in &of.changes {
        let to = at(change.point) - 0.5;
        lines.push(vec![(from, change.before), (to, change.before)]);
        from = to;
    }
    if let Some(last) = of.changes.last() {
        let to = at(of.values.len()) - 0.5;
        lines.push(vec![(from, last.after), (to, last.after)]);
    }
    let series = lines.into_iter().enumerate().map(|(place, line)| {
        let legend = (place == 0).then(|| "level".to_owned());
        Series::new("level", palette::SERIES_3, Shape::Line(line))
            .pen(2.5)
            .legend(legend)
    });
    series.collect()
}
