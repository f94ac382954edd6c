//! This module draws how many messages were sent in each second, and how many of them were answered and failed.
//!
//! **In:** `series.per_second`. **Out:** an area and steps on a linear axis, by the moment of the intended send.

use super::axis::Axis;
use super::chart::Chart;
use super::frame::Frame;
use super::palette;
use super::per_second::{Rate, row_name};
use super::sketch::Sketch;
use crate::format::{self, append};
use crate::record::delivery::Delivery;
use crate::render::renderer::RenderError;
use crate::result::RunResult;
use crate::units::US_PER_S;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let sent = Rate::of(result, "sent", |row| row.delivery.sent);
    let completed = Rate::of(result, "completed", |row| row.delivery.completed);
    let failed = Rate::of(result, "failed", |row| failed(&row.delivery));
    let most = sent.most();
    let mut series = vec![
        sent.area(palette::SERIES_1).depth(1),
        completed.steps(palette::SERIES_4),
    ];
    if failed.most() > 0 {
        series.push(failed.steps(palette::SERIES_2));
    }
    let sketch = Sketch {
        id: "throughput".into(),
        title: "Messages per second, by when they should have been sent".to_owned(),
        subject: "Messages per second over the run",
        finding: finding(result),
        series,
    };
    sketch.draw(|width| Frame {
        height: width.pick(120, 110),
        y: Axis::count(most),
        ..Frame::over_time(result, width)
    })
}

/// Messages that came to an end other than their answer.
const fn failed(of: &Delivery) -> u64 {
    let untold = of.refused.saturating_add(of.unanswered);
    untold.saturating_add(of.lost)
}

fn finding(result: &RunResult) -> String {
    let all = &result.delivery;
    if all.sent == 0 {
        return "No message was sent.".to_owned();
    }
    let rows = || result.series.per_second.iter();
    let sending = rows().filter(|row| row.delivery.sent > 0).count() as u64;
    let second_us = result.series.second_us.max(1);
    let mean = all.sent.saturating_mul(US_PER_S) / sending.saturating_mul(second_us).max(1);
    let mut text = format!(
        "{} messages, {} a second on average while there were any.",
        format::count(all.sent),
        format::count(mean)
    );
    let worst = rows().max_by_key(|row| failed(&row.delivery));
    if let Some(worst) = worst.filter(|row| failed(&row.delivery) > 0) {
        append(
            &mut text,
            format_args!(
                " {} were refused, not answered, or lost, at most {} of those of one {} (from {} s on).",
                format::count(failed(all)),
                format::count(failed(&worst.delivery)),
                row_name(result),
                format::rough_stamp(worst.at_us)
            ),
        );
    }
    text
}
