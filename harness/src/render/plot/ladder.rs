//! This module draws what a search for capacity measured: latency and throughput against load.
//!
//! **In:** an answer. **Out:** two charts; probes that held and that did not are told apart, and the answer is marked.

use super::axis::Axis;
use super::chart::Chart;
use super::draw::{Series, Shape, dotted};
use super::frame::{Frame, Mark};
use super::label::Side;
use super::palette;
use super::sketch::Sketch;
use crate::capacity::account::Answer;
use crate::capacity::law::{CurvePoint, Law};
use crate::capacity::probe::Probe;
use crate::capacity::search::{Came, Found};
use crate::format;
use crate::render::renderer::RenderError;

/// p99 of `complete` against load; `None` where nothing was answered.
pub(crate) fn latency(answer: &Answer) -> Result<Option<Chart>, RenderError> {
    let of = |probe: &Probe| probe.p99_us.map(|us| us as f64);
    let points = points(answer, of);
    let Some((least, most)) = reach(&points) else {
        return Ok(None);
    };
    draw(
        answer,
        Picture {
            id: "latency",
            title: "p99 of `complete` against load",
            subject: "Latency against load",
            finding: "Response time, from the moment a message should have been sent.",
            y: Axis::latency(least, most),
            place: |us| us.max(1.0).log10(),
            points,
        },
    )
    .map(Some)
}

/// Answers per second against load; `None` where nothing was answered.
pub(crate) fn throughput(answer: &Answer) -> Result<Option<Chart>, RenderError> {
    let points = points(answer, |probe| probe.answered_per_s);
    let Some((_, most)) = reach(&points) else {
        return Ok(None);
    };
    draw(
        answer,
        Picture {
            id: "throughput",
            title: "Answers per second against load",
            subject: "Throughput against load",
            finding: "Where it bends, the service answers no more however much is asked.",
            y: Axis::count(crate::units::rounded(most)),
            place: |rate| rate,
            points,
        },
    )
    .map(Some)
}

/// Answers per second against what was in flight, with the law over them; `None` where it was not fitted.
pub(crate) fn scaling(answer: &Answer) -> Result<Option<Chart>, RenderError> {
    let Law::Fitted(fit) = &answer.scaling.law else {
        return Ok(None);
    };
    let probes = answer.probes.iter();
    let points: Vec<(f64, f64)> = probes
        .filter_map(|probe| Some((probe.in_flight?, probe.answered_per_s?)))
        .collect();
    let far = fit.curve.last().map_or(1.0, |point| point.in_flight);
    let curve = |pick: fn(&CurvePoint) -> Option<f64>| {
        let points = fit.curve.iter();
        let points = points.filter_map(|point| Some((point.in_flight, pick(point)?)));
        Shape::Line(points.collect())
    };
    let drawn = fit.curve.iter().filter_map(|point| point.throughput.value);
    let most = points
        .iter()
        .map(|(_, rate)| *rate)
        .chain(drawn)
        .fold(1.0, f64::max);
    let (x, y, size) = dotted(
        Axis::count(crate::units::rounded(far)),
        Axis::count(crate::units::rounded(most)),
    );
    let points: Vec<_> = points
        .into_iter()
        .filter(|(load, _)| *load <= far)
        .collect();
    let sketch = Sketch {
        id: "scaling".into(),
        title: "Answers per second against messages in flight".to_owned(),
        subject: "Scaling",
        finding: "The Universal Scalability Law over the steady probes, and its 95 % band: what one more message in flight brings.".to_owned(),
        series: vec![
            Series::new("probe", palette::SERIES_1, Shape::Dots(size, points)),
            Series::new("law", palette::SERIES_2, curve(|point| point.throughput.value)).pen(2.5),
            Series::new("band", palette::SERIES_2, curve(|point| Some(point.throughput.low))).pen(0.8),
            Series::new("band", palette::SERIES_2, curve(|point| point.throughput.high))
                .pen(0.8)
                .legend(None),
        ],
    };
    let drawn = sketch.draw(|width| Frame {
        kind: "load",
        width: width.pick(1040, 340),
        height: width.pick(240, 200),
        x: x.clone(),
        y: y.clone(),
        x_name: "messages in flight",
        bands: Vec::new(),
        marks: Vec::new(),
        limits: Vec::new(),
        events: Vec::new(),
    });
    drawn.map(Some)
}

type Point = (f64, f64, Came);

struct Picture {
    id: &'static str,
    title: &'static str,
    subject: &'static str,
    finding: &'static str,
    y: Axis,
    place: fn(f64) -> f64,
    points: Vec<Point>,
}

fn points(answer: &Answer, of: impl Fn(&Probe) -> Option<f64>) -> Vec<Point> {
    let probes = answer.probes.iter();
    let mut points: Vec<Point> = probes
        .filter_map(|probe| Some((probe.load as f64, of(probe)?, probe.came)))
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

fn reach(points: &[Point]) -> Option<(f64, f64)> {
    let values = points.iter().map(|(_, value, _)| *value);
    let least = values.clone().reduce(f64::min)?;
    Some((least, values.reduce(f64::max)?))
}

fn draw(answer: &Answer, picture: Picture) -> Result<Chart, RenderError> {
    let most = picture
        .points
        .iter()
        .map(|(load, ..)| *load)
        .fold(1.0, f64::max);
    let x = Axis::count(crate::units::rounded(most));
    let (x, y, size) = dotted(x, picture.y);
    let colors = [
        ("held", palette::SERIES_1),
        ("broke", palette::SERIES_2),
        ("not told", palette::SERIES_3),
    ];
    let series = colors.into_iter().filter_map(|(name, color)| {
        let mine = picture.points.iter();
        let mine = mine.filter(|(_, _, came)| series_of(*came) == name);
        let points: Vec<_> = mine
            .map(|(load, value, _)| (*load, (picture.place)(*value)))
            .collect();
        (!points.is_empty()).then(|| Series::new(name, color, Shape::Dots(size, points)))
    });
    let sketch = Sketch {
        id: picture.id.into(),
        title: picture.title.to_owned(),
        subject: picture.subject,
        finding: picture.finding.to_owned(),
        series: series.collect(),
    };
    let marks = marks(answer);
    sketch.draw(|width| Frame {
        kind: "load",
        width: width.pick(1040, 340),
        height: width.pick(240, 200),
        x: x.clone(),
        y: y.clone(),
        x_name: answer.asked.axis.unit(),
        bands: Vec::new(),
        marks: marks.clone(),
        limits: Vec::new(),
        events: Vec::new(),
    })
}

/// The series that a probe belongs to.
const fn series_of(came: Came) -> &'static str {
    match came {
        Came::Held => "held",
        Came::Broke => "broke",
        Came::Full | Came::Unclear => "not told",
    }
}

/// The ends of the answer.
fn marks(answer: &Answer) -> Vec<Mark> {
    let held = |load: u64| Mark {
        at: load as f64,
        text: format!("holds at {}", format::count(load)),
        class: "good",
        side: Side::Left,
    };
    let bad = |load: u64, text: &str| Mark {
        at: load as f64,
        text: format!("{text} {}", format::count(load)),
        class: "bad",
        side: Side::Right,
    };
    match answer.found {
        Found::Between { held: one, broke } => vec![held(one), bad(broke, "not at")],
        Found::AtLeast { held: one } => vec![held(one)],
        Found::GeneratorFull { held: one, full } => {
            vec![held(one), bad(full, "generator full at")]
        }
        Found::LessThan { broke } => vec![bad(broke, "not at")],
        Found::Unclear => Vec::new(),
    }
}
