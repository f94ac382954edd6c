//! This module draws the percentile curves of two sides: the median run of each, and the band of all its runs.
//!
//! **In:** the bands of a comparison. **Out:** latency over log rarity, as for one run.

use plotters::style::RGBColor;

use super::axis::{Axis, rarity};
use super::chart::Chart;
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::gate::comparison::{BandPoint, Decision, Side};
use crate::render::renderer::RenderError;

/// The chart; `None` where a side has no curve.
pub(crate) fn chart(decision: &Decision) -> Result<Option<Chart>, RenderError> {
    let (base, new) = (&decision.base, &decision.new);
    let points = || base.band.iter().chain(&new.band);
    if base.band.is_empty() || new.band.is_empty() {
        return Ok(None);
    }
    let least = points()
        .map(|point| point.lowest_us)
        .fold(f64::INFINITY, f64::min);
    let most = points().map(|point| point.highest_us).fold(1.0, f64::max);
    let rarest = points()
        .map(|point| rarity(point.quantile_ratio))
        .fold(0.0, f64::max);
    let x = Axis::percentile(rarest);
    let scale = Scale::of(least, most);
    let mut series = side(base, "base", palette::SERIES_1, scale);
    series.extend(side(new, "new", palette::SERIES_2, scale));
    let sketch = Sketch {
        id: "curves".into(),
        title: "Percentile curves of `complete`".to_owned(),
        subject: "Percentiles of complete on both sides",
        finding: format!(
            "Thick: the median over the runs of a side. Thin: its lowest and highest run. At p50 {} and {}.",
            at_half(base),
            at_half(new)
        ),
        series,
    };
    let drawn = sketch.draw(|width| Frame {
        kind: "percentile",
        width: width.pick(1040, 340),
        height: width.pick(260, 220),
        x: x.clone(),
        y: scale.axis(least, most),
        x_name: "percentile (each step to the right is ten times rarer)",
        bands: Vec::new(),
        marks: Vec::new(),
        limits: Vec::new(),
        events: Vec::new(),
    });
    drawn.map(Some)
}

fn at_half(side: &Side) -> String {
    let mut points = side.band.iter();
    let half = points.find(|point| point.quantile_ratio >= 0.5);
    half.map_or_else(
        || format::NONE.to_owned(),
        |point| format::duration_f64(point.median_us),
    )
}

/// A long tail is drawn on a log axis; sides that lie close together would be one line there.
#[derive(Clone, Copy)]
enum Scale {
    Linear,
    Log,
}

/// From this ratio of the largest to the smallest value on.
const LOG_FROM: f64 = 8.0;

impl Scale {
    fn of(least_us: f64, most_us: f64) -> Self {
        if most_us < least_us * LOG_FROM {
            Self::Linear
        } else {
            Self::Log
        }
    }

    fn axis(self, least_us: f64, most_us: f64) -> Axis {
        match self {
            Self::Linear => Axis::span((least_us, most_us), 1.0, format::round_duration),
            Self::Log => Axis::latency(least_us, most_us),
        }
    }

    fn place(self, us: f64) -> f64 {
        match self {
            Self::Linear => us,
            Self::Log => us.max(1.0).log10(),
        }
    }
}

fn side(side: &Side, name: &'static str, color: RGBColor, scale: Scale) -> Vec<Series> {
    let line = |pick: fn(&BandPoint) -> f64| {
        let points = side.band.iter();
        let points = points.map(|point| (rarity(point.quantile_ratio), scale.place(pick(point))));
        Series::new(name, color, Shape::Line(points.collect()))
    };
    vec![
        line(|point| point.median_us).pen(2.5),
        line(|point| point.lowest_us).pen(0.8).legend(None),
        line(|point| point.highest_us).pen(0.8).legend(None),
    ]
}
