//! This module draws how many sessions were open over the run.
//!
//! **In:** `series.open`. **Out:** an area on a linear axis.

use super::axis::Axis;
use super::chart::{Chart, ReadingUnit};
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::palette;
use super::sketch::Sketch;
use crate::format::{self, append};
use crate::render::renderer::RenderError;
use crate::render::terminal;
use crate::result::RunResult;
use crate::units::seconds;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let most = result.clients.peak_open.max(result.clients.planned);
    let step = seconds(result.series.step_us);
    let counts = result.series.open.iter().copied().map(Some);
    let open = Series::new("open", palette::SERIES_1, Shape::Area(points(result)));
    let sketch = Sketch {
        id: "open".into(),
        title: "Open sessions".to_owned(),
        subject: "Open sessions over the run",
        finding: finding(result),
        series: vec![open.read("open", ReadingUnit::Count, step, counts)],
    };
    sketch.draw(|width| Frame {
        height: width.pick(120, 110),
        y: Axis::count(most),
        ..Frame::over_time(result, width)
    })
}

/// Sampled at the end of each bin, joined.
fn points(result: &RunResult) -> Vec<(f64, f64)> {
    let step = seconds(result.series.step_us);
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
