//! This module draws the share of accepted tokens over their age.
//!
//! **In:** the first curve of `acceptance`. **Out:** steps, with the interval that holds the true share in 95 of
//! 100 such runs, and the time to live as a line.

use super::axis::Axis;
use super::draw::{pen, series, steps};
use super::frame::{Frame, Mark};
use super::label::Side;
use super::{Chart, Key, Width, palette, spoken};
use crate::render::{RenderError, format};
use crate::result::{Acceptance, AcceptanceBin, RunResult};

const ID: &str = "acceptance";
const US_PER_S: f64 = 1e6;

/// `None`: no token of a certain age was tried.
pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let curve = result.acceptance.first();
    let Some(curve) = curve.filter(|curve| !curve.bins.is_empty()) else {
        return Ok(None);
    };
    let finding = finding(curve);
    let most_us = curve
        .bins
        .last()
        .map_or(0, |bin| bin.from_us + curve.bin_us);
    let draw = |width: Width| {
        let frame = Frame {
            id: ID,
            kind: "age",
            spoken: format!("Accepted tokens over their age. {}", spoken(&finding)),
            width: width.pick(1040, 340),
            height: width.pick(160, 150),
            x: Axis::time(most_us, width.pick(13, 7)),
            y: Axis::count(100),
            x_name: "age of the token",
            bands: Vec::new(),
            marks: vec![Mark {
                at: curve.ttl_us as f64 / US_PER_S,
                text: "time to live".to_owned(),
                class: "good",
                side: Side::Right,
            }],
            limits: Vec::new(),
        };
        frame.draw(|plot, sheet| {
            let step = curve.bin_us as f64 / US_PER_S;
            for (name, pick, color, width) in [
                ("interval", bound as Pick, palette::SERIES_2, 1.0),
                ("interval", low as Pick, palette::SERIES_2, 1.0),
                ("accepted", share as Pick, palette::SERIES_1, 2.0),
            ] {
                series(sheet, name, || {
                    steps(plot, step, &values(curve, pick), pen(color, width))
                })?;
            }
            Ok(())
        })
    };
    let key = |text: &str, class, series| Key {
        text: text.to_owned(),
        class,
        series: Some(series),
    };
    Ok(Some(Chart {
        id: ID,
        title: format!("Tokens accepted over their age, % (`{}`)", curve.trial),
        keys: vec![
            key("accepted", "k-c1", "accepted"),
            key("95 % interval", "k-c2", "interval"),
        ],
        readings: Vec::new(),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    }))
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
