//! This module draws the share of accepted tokens over their age.
//!
//! **In:** the first curve of `acceptance`. **Out:** steps, with the interval that holds the true share in 95 of
//! 100 such runs, and the time to live as a line.

use super::axis::Axis;
use super::chart::Chart;
use super::draw::{Series, Shape};
use super::frame::{Frame, Mark};
use super::label::Side;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::result::{Acceptance, AcceptanceBin, RunResult};
use crate::units::seconds;

/// `None`: no token of a certain age was tried.
pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let curve = result.acceptance.first();
    let Some(curve) = curve.filter(|curve| !curve.bins.is_empty()) else {
        return Ok(None);
    };
    let last = curve.bins.last();
    let most_us = last.map_or(0, |bin| bin.from_us + curve.bin_us);
    let series = |name, color, pick: Pick| {
        let steps = Shape::Steps(seconds(curve.bin_us), values(curve, pick));
        Series::new(name, color, steps)
    };
    let interval = |pick| {
        series("interval", palette::SERIES_2, pick)
            .pen(1.0)
            .depth(1)
    };
    let sketch = Sketch {
        id: "acceptance".into(),
        title: format!("Tokens accepted over their age, % (`{}`)", curve.trial),
        subject: "Accepted tokens over their age",
        finding: finding(curve),
        series: vec![
            series("accepted", palette::SERIES_1, share).pen(2.0),
            interval(bound).legend(Some("95 % interval".to_owned())),
            interval(low).legend(None),
        ],
    };
    let drawn = sketch.draw(|width| Frame {
        kind: "age",
        width: width.pick(1040, 340),
        height: width.pick(160, 150),
        x: Axis::time(most_us, width.pick(13, 7)),
        y: Axis::count(100),
        x_name: "age of the token",
        bands: Vec::new(),
        marks: vec![Mark {
            at: seconds(curve.ttl_us),
            text: "time to live".to_owned(),
            class: "good",
            side: Side::Right,
        }],
        limits: Vec::new(),
        events: Vec::new(),
    });
    drawn.map(Some)
}

type Pick = fn(&AcceptanceBin) -> f64;

fn share(bin: &AcceptanceBin) -> f64 {
    bin.accepted_ratio * 100.0
}

fn low(bin: &AcceptanceBin) -> f64 {
    bin.low_ratio * 100.0
}

fn bound(bin: &AcceptanceBin) -> f64 {
    bin.high_ratio * 100.0
}

/// One value for every bin from age 0; none where no token was tried.
fn values(curve: &Acceptance, pick: Pick) -> Vec<Option<f64>> {
    let place = |bin: &AcceptanceBin| usize::try_from(bin.from_us / curve.bin_us).unwrap_or(0);
    let last = curve.bins.last().map_or(0, place);
    let mut values = vec![None; last + 1];
    for bin in &curve.bins {
        values[place(bin)] = Some(pick(bin));
    }
    values
}

fn finding(curve: &Acceptance) -> String {
    let of = |late: bool| {
        let bins = curve.bins.iter();
        let bins = bins.filter(|bin| (bin.from_us >= curve.ttl_us) == late);
        bins.fold((0, 0), |(accepted, tried), bin| {
            (accepted + bin.accepted, tried + bin.tried)
        })
    };
    let ((young, of_young), (old, of_old)) = (of(false), of(true));
    format!(
        "{} of {} tokens younger than {} were accepted, {} of {} older ones.",
        format::count(young),
        format::count(of_young),
        format::duration(curve.ttl_us),
        format::count(old),
        format::count(of_old),
    )
}
