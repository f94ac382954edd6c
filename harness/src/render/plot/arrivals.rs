//! This module draws how many sockets were opened, and tokens fetched, in each second.
//!
//! **In:** `series.per_second`. **Out:** steps on a linear axis.

use super::axis::Axis;
use super::chart::Chart;
use super::frame::Frame;
use super::palette;
use super::per_second::Rate;
use super::sketch::Sketch;
use crate::format::{self, append};
use crate::render::renderer::RenderError;
use crate::result::RunResult;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let opened = Rate::of(result, "sockets opened", |row| row.opened);
    let tokens = Rate::of(result, "tokens", |row| row.tokens_ok);
    let refused = Rate::of(result, "tokens refused or failed", |row| row.tokens_failed);
    let most = opened.most().max(tokens.most()).max(refused.most());
    let mut series = vec![opened.area(palette::SERIES_1).depth(1)];
    if tokens.most() > 0 {
        series.push(tokens.steps(palette::SERIES_4));
    }
    if refused.most() > 0 {
        series.push(refused.steps(palette::SERIES_2));
    }
    let sketch = Sketch {
        id: "arrivals".into(),
        title: "Connects and tokens per second".to_owned(),
        subject: "Sockets opened and tokens fetched per second",
        finding: finding(result, opened.most()),
        series,
    };
    sketch.draw(|width| Frame {
        height: 100,
        y: Axis::count(most),
        ..Frame::over_time(result, width)
    })
}

fn finding(result: &RunResult, most: u64) -> String {
    let of = &result.clients;
    let mut text = format!(
        "{} sockets were opened with {} tokens, at most {} in a second.",
        format::count(of.opened),
        format::count(of.tokens_ok),
        format::count(most)
    );
    if of.tokens_failed > 0 {
        let failed = format::count(of.tokens_failed);
        append(
            &mut text,
            format_args!(" {failed} requests for a token were refused or failed."),
        );
    }
    text
}
