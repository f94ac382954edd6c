//! This module draws percentile curves of `complete`.
//!
//! **In:** `distributions`. **Out:** log latency over log rarity: each step to the right is ten
//! times rarer. **Source:** the percentile plot of `HdrHistogram`.

use plotters::style::RGBColor;

use super::axis::{Axis, log_us, rarity};
use super::chart::{Chart, ReadingUnit, Width};
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::limit::LimitLine;
use super::palette;
use super::sketch::Sketch;
use crate::format::{self, append};
use crate::render::renderer::RenderError;
use crate::render::view;
use crate::result::{Distribution, RunResult};
use crate::scenario::expectation::When;
use crate::stage::Stage;

/// Step of the cursor along the percentile axis.
const READING_STEP: f64 = 0.05;
const READINGS_MAX: u32 = 200;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let curves = curves(result);
    let points_of = || curves.iter().flat_map(|curve| &curve.of.points);
    let all = || points_of().map(|point| point.value_us);
    let least = all().min().unwrap_or(1_000) as f64;
    let limits = view::complete_limits(result);
    let most = all().max().unwrap_or(1_000_000) as f64;
    let most = limits.last().map_or(most, |limit| most.max(limit.value_us));
    let rarest = curves
        .iter()
        .map(|curve| 1.0 / curve.of.count.max(1) as f64);
    let rarest = rarest.fold(1.0, f64::min);
    let x = Axis::percentile(-rarest.log10());
    let series = curves.iter().enumerate();
    let sketch = Sketch {
        id: "distribution".into(),
        title: "Percentile curve of `complete`".to_owned(),
        subject: "Percentiles of complete",
        finding: finding(result),
        series: series
            .map(|(place, curve)| curve.series(x.high).depth(place))
            .collect(),
    };
    sketch.draw(|width| Frame {
        kind: "percentile",
        width: width.pick(540, 340),
        height: width.pick(330, 220),
        x: x.clone(),
        y: Axis::latency(least, most),
        x_name: "percentile (each step to the right is ten times rarer)",
        bands: Vec::new(),
        marks: Vec::new(),
        limits: limits
            .iter()
            .map(|limit| limit_line(limit, width, x.high))
            .collect(),
        events: Vec::new(),
    })
}

/// From the left to the percentile that it bounds.
fn limit_line(limit: &view::Limit<'_>, width: Width, high: f64) -> LimitLine {
    let end = limit.statistic.quantile().map_or(high, rarity);
    LimitLine::new(limit, width, vec![(0.0, end.min(high))])
}

struct Curve<'a> {
    of: &'a Distribution,
    series: &'static str,
    color: RGBColor,
}

impl Curve<'_> {
    fn series(&self, high: f64) -> Series {
        let places = (0..READINGS_MAX).map(|place| f64::from(place) * READING_STEP);
        let values = places
            .take_while(|&x| x <= high + 1e-9)
            .map(|x| self.value_at(x));
        let name = &self.of.name;
        Series::new(self.series, self.color, Shape::Line(points(self.of, high)))
            .pen(2.0)
            .legend(Some(name.clone()))
            .read(name, ReadingUnit::Microseconds, READING_STEP, values)
    }

    /// The first point that is at least as rare.
    fn value_at(&self, x: f64) -> Option<u64> {
        let mut points = self.of.points.iter();
        let found = points.find(|point| rarity(point.quantile_ratio) >= x - 1e-9);
        found.map(|point| point.value_us)
    }
}

/// Outside faults and whole run; without faults the whole run alone, as this run's line.
fn curves(result: &RunResult) -> Vec<Curve<'_>> {
    let calm = result.distribution(&When::OutsideFaults);
    let calm = calm.filter(|_| !result.faults.is_empty());
    let whole = result.distribution(&When::WholeRun);
    let first = |of| Curve {
        of,
        series: "first",
        color: palette::SERIES_1,
    };
    let second = |of| Curve {
        of,
        series: "second",
        color: palette::SERIES_2,
    };
    match (calm, whole) {
        (Some(calm), Some(whole)) => vec![first(calm), second(whole)],
        (Some(only), None) | (None, Some(only)) => vec![first(only)],
        (None, None) => Vec::new(),
    }
}

fn points(of: &Distribution, high: f64) -> Vec<(f64, f64)> {
    let place = |quantile: f64, us: u64| (rarity(quantile), log_us(us));
    let inside = of.points.iter().filter(|point| point.quantile_ratio < 1.0);
    inside
        .map(|point| place(point.quantile_ratio, point.value_us))
        .filter(|&(x, _)| x <= high + 1e-9)
        .collect()
}

fn finding(result: &RunResult) -> String {
    let Some((place, calm)) = view::calm(result) else {
        return "No message was completed.".to_owned();
    };
    let one = |name: &str, us| format!("{name} {}", format::duration(us));
    let mut text = format!(
        "{} answers {}: {}, {}, {}, {}.",
        format::count(calm.count),
        place.text(),
        one("p50", calm.p50_us),
        one("p99", calm.p99_us),
        one("p99.9", calm.p999_us),
        one("max", calm.max_us)
    );
    let whole = view::response(result, Stage::Complete);
    if let Some(whole) = whole.filter(|_| place != When::WholeRun) {
        append(
            &mut text,
            format_args!(
                " Over the whole run p99 {}, max {}.",
                format::duration(whole.p99_us),
                format::duration(whole.max_us)
            ),
        );
    }
    text
}
