//! This module draws how clients came back after they were cut: a storm, or one by one.
//!
//! **In:** `series.reconnects` and their ideal spread. **Out:** bars, and the ideal as a line: every client that
//! was cut comes back evenly within its first backoff.

use super::axis::Axis;
use super::draw::{bars, pen, series, steps};
use super::frame::Frame;
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, response, spoken};
use crate::render::{RenderError, format};
use crate::result::RunResult;

const ID: &str = "reconnects";
const US_PER_S: f64 = 1e6;
/// Part of a bin that its bar fills.
const FILLED: f64 = 0.84;

/// `None`: nobody had to come back.
pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let series_of = &result.series;
    if series_of.reconnects.is_empty() {
        return Ok(None);
    }
    let most = series_of.reconnects.iter().max().copied().unwrap_or(1);
    let ideal = series_of
        .reconnects_ideal
        .iter()
        .copied()
        .fold(0.0, f64::max);
    let finding = finding(result, most, ideal);
    let step = series_of.step_us as f64 / US_PER_S;
    let draw = |width: Width| {
        let frame = Frame {
            spoken: format!("Reconnect attempts over the run. {}", spoken(&finding)),
            height: width.pick(120, 110),
            y: Axis::count(most.max(crate::units::rounded(ideal))),
            ..Frame::over_time(ID, result, width)
        };
        frame.draw(|plot, sheet| {
            series(sheet, "attempts", || {
                let places = series_of.reconnects.iter().enumerate();
                let found = places
                    .filter(|(_, count)| **count > 0)
                    .map(|(place, &count)| {
                        let left = step * (place as f64 + (1.0 - FILLED) / 2.0);
                        (left, left + step * FILLED, count as f64)
                    });
                bars(plot, 0.0, found, palette::SERIES_1)
            })?;
            series(sheet, "ideal", || {
                let ideal = series_of.reconnects_ideal.iter();
                let ideal: Vec<Option<f64>> =
                    ideal.map(|&each| (each > 0.0).then_some(each)).collect();
                steps(plot, step, &ideal, pen(palette::SERIES_2, 1.5))
            })
        })
    };
    Ok(Some(Chart {
        id: ID,
        title: format!(
            "Attempts to come back, every {}",
            format::round_duration(series_of.step_us as f64)
        ),
        keys: keys(result),
        readings: vec![Reading {
            name: "attempts".to_owned(),
            series: "attempts",
            unit: ReadingUnit::Count,
            from: 0.0,
            step,
            values: series_of
                .reconnects
                .iter()
                .map(|&count| Some(count))
                .collect(),
        }],
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    }))
}

fn keys(result: &RunResult) -> Vec<Key> {
    let key = |text: &str, class, series| Key {
        text: text.to_owned(),
        class,
        series: Some(series),
    };
    let mut keys = vec![
        key("attempts", "f-c1", "attempts"),
        key("ideal spread", "k-c2", "ideal"),
    ];
    keys.extend(response::fault_key(result));
    keys
}

fn finding(result: &RunResult, most: u64, ideal: f64) -> String {
    format!(
        "{} attempts after {} cuts; at most {} in one bin, where an even spread over the first backoff of {} has {}.",
        format::count(result.clients.reconnect_attempts),
        format::count(result.clients.cut),
        format::count(most),
        format::round_duration(result.plan.load.reconnect.first_us as f64),
        format::count_f64(ideal.ceil()),
    )
}
