//! This module draws how late the harness itself was.
//!
//! **In:** `series.lateness_*`. **Out:** steps on a log axis with the limit at which the run would
//! be invalid.

use super::axis::Axis;
use super::draw::{line, pen, series, steps};
use super::frame::Frame;
use super::response::{fault_key, log};
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, spoken};
use crate::render::{RenderError, format};
use crate::result::RunResult;

const ID: &str = "lateness";
const US_PER_S: f64 = 1e6;
/// The axis begins at 10 µs: nothing below matters.
const LEAST_US: f64 = 10.0;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let finding = finding(result);
    let of = &result.series;
    let limit_us = result.generator.lateness_limit_us;
    let most = of
        .lateness_max_us
        .iter()
        .flatten()
        .max()
        .copied()
        .unwrap_or(0);
    let most = most.max(limit_us.unwrap_or(0)).max(1_000) as f64;
    let step = of.step_us as f64 / US_PER_S;
    let draw = |width: Width| {
        let frame = Frame {
            spoken: format!("Lateness of the harness over the run. {}", spoken(&finding)),
            height: width.pick(120, 120),
            y: Axis::latency(LEAST_US, most),
            ..Frame::over_time(ID, result, width)
        };
        frame.draw(|plot, sheet| {
            if let Some(limit_us) = limit_us {
                let y = (limit_us.max(1) as f64).log10();
                let end = result.run.duration_us as f64 / US_PER_S;
                series(sheet, "limit", || {
                    line(plot, vec![(0.0, y), (end, y)], pen(palette::LIMIT, 1.5))
                })?;
            }
            series(sheet, "max", || {
                steps(
                    plot,
                    step,
                    &log(&of.lateness_max_us),
                    pen(palette::SERIES_3, 1.2),
                )
            })?;
            series(sheet, "p99", || {
                steps(
                    plot,
                    step,
                    &log(&of.lateness_p99_us),
                    pen(palette::SERIES_2, 1.4),
                )
            })?;
            series(sheet, "p50", || {
                steps(
                    plot,
                    step,
                    &log(&of.lateness_p50_us),
                    pen(palette::SERIES_1, 1.4),
                )
            })
        })
    };
    Ok(Chart {
        id: ID,
        title: "Lateness: how late the harness itself was".to_owned(),
        keys: keys(result),
        readings: readings(result),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    })
}

fn keys(result: &RunResult) -> Vec<Key> {
    let line = |name: &'static str, class| Key {
        text: name.to_owned(),
        class,
        series: Some(name),
    };
    let mut keys = vec![
        line("p50", "k-c1"),
        line("p99", "k-c2"),
        line("max", "k-c3"),
    ];
    if let Some(limit_us) = result.generator.lateness_limit_us {
        keys.push(Key {
            text: format!(
                "invalid when p99 passes {}",
                format::round_duration(limit_us as f64)
            ),
            class: "k-limit",
            series: Some("limit"),
        });
    }
    keys.extend(fault_key(result));
    keys
}

fn readings(result: &RunResult) -> Vec<Reading> {
    let of = &result.series;
    let one = |name: &str, values: &[Option<u64>]| Reading {
        name: name.to_owned(),
        unit: ReadingUnit::Microseconds,
        from: 0.0,
        step: of.step_us as f64 / US_PER_S,
        values: values.to_vec(),
    };
    vec![
        one("p50", &of.lateness_p50_us),
        one("p99", &of.lateness_p99_us),
        one("max", &of.lateness_max_us),
    ]
}

fn finding(result: &RunResult) -> String {
    let Some(late) = result.lateness else {
        return "Nothing was sent.".to_owned();
    };
    let judged = crate::result::lateness_text(result);
    format!(
        "From the moment a socket was ready to the write, pauses of the machine included: p50 {}, p99 {}, max {} over {} sends. Judged: {judged}.",
        format::duration(late.p50_us),
        format::duration(late.p99_us),
        format::duration(late.max_us),
        format::count(late.count)
    )
}
