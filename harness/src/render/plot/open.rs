//! This module draws how many sessions were open over the run.
//!
//! **In:** `series.open`. **Out:** an area on a linear axis.

use super::axis::Axis;
use super::draw::{area, pen, series};
use super::frame::Frame;
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, response, spoken};
use crate::render::{RenderError, append, format, terminal};
use crate::result::RunResult;

const ID: &str = "open";
const US_PER_S: f64 = 1e6;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let finding = finding(result);
    let most = result.clients.peak_open.max(result.clients.planned);
    let draw = |width: Width| {
        let frame = Frame {
            spoken: format!("Open sessions over the run. {}", spoken(&finding)),
            height: width.pick(120, 110),
            y: Axis::count(most),
            ..Frame::over_time(ID, result, width)
        };
        frame.draw(|plot, sheet| {
            series(sheet, "open", || {
                let points = points(result);
                if points.is_empty() {
                    return Ok(());
                }
                area(plot, points, pen(palette::SERIES_1, 1.5))
            })
        })
    };
    let mut keys = vec![Key {
        text: "open".to_owned(),
        class: "k-c1",
        series: Some("open"),
    }];
    keys.extend(response::fault_key(result));
    Ok(Chart {
        id: ID,
        title: "Open sessions".to_owned(),
        keys,
        readings: vec![Reading {
            name: "open".to_owned(),
            series: "open",
            unit: ReadingUnit::Count,
            from: 0.0,
            step: result.series.step_us as f64 / US_PER_S,
            values: result.series.open.iter().map(|&open| Some(open)).collect(),
        }],
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    })
}

/// Sampled at the end of each bin, joined.
fn points(result: &RunResult) -> Vec<(f64, f64)> {
    let step = result.series.step_us as f64 / US_PER_S;
    let mut at = 0.0;
    let mut points = Vec::with_capacity(result.series.open.len() + 1);
    if !result.series.open.is_empty() {
        points.push((0.0, 0.0));
    }
    for &open in &result.series.open {
        at += step;
        points.push((at, open as f64));
    }
    points
}

fn finding(result: &RunResult) -> String {
    let clients = &result.clients;
    let planned = format::count(clients.planned);
    let open = format::count(clients.peak_open);
    // A client that changes sockets has two for a moment.
    let mut text = if clients.peak_open > clients.planned {
        format!("{open} sockets of {planned} planned clients were open at once.")
    } else {
        format!("{open} of {planned} planned clients were open at once.")
    };
    if clients.cut == 0 {
        text.push_str(" No session was cut.");
    } else {
        let codes = terminal::cut_codes(result);
        let cut = format::count(clients.cut);
        append(
            &mut text,
            format_args!(" {cut} sessions were cut ({codes})."),
        );
    }
    match clients.failed {
        0 => {}
        1 => text.push_str(" One client gave up."),
        failed => append(
            &mut text,
            format_args!(" {} clients gave up.", format::count(failed)),
        ),
    }
    text
}
