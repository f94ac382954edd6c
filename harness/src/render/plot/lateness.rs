//! This module draws how late the harness itself was.
//!
//! **In:** `series.lateness_*`, `series.lines`. **Out:** steps on a log axis with the limit at which the run would
//! be invalid.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::draw::{line, pen, series, steps};
use super::frame::Frame;
use super::response::{fault_key, log, name};
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, spoken};
use crate::render::{RenderError, format};
use crate::result::{Lined, RunResult};
use crate::scenario::expectation::Statistic;

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
    let lines = lines(result);
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
            for line in lines.iter().rev() {
                let step = line.step_us as f64 / US_PER_S;
                series(sheet, line.name, || {
                    steps(
                        plot,
                        step,
                        &log(line.values_us),
                        pen(line.color, line.width),
                    )
                })?;
            }
            Ok(())
        })
    };
    Ok(Chart {
        id: ID,
        title: "Lateness: how late the harness itself was".to_owned(),
        keys: keys(result, &lines),
        readings: lines.iter().map(reading).collect(),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    })
}

/// One line of the chart.
struct Line<'a> {
    name: &'static str,
    class: &'static str,
    color: RGBColor,
    width: f64,
    step_us: u64,
    values_us: &'a [Option<u64>],
}

/// Every line that has a value; a percentile that the usual step does not support is drawn in longer ones.
fn lines(result: &RunResult) -> Vec<Line<'_>> {
    let of = &result.series;
    let usual = [
        (
            Statistic::P50,
            "k-c1",
            palette::SERIES_1,
            &of.lateness_p50_us,
        ),
        (
            Statistic::P99,
            "k-c2",
            palette::SERIES_2,
            &of.lateness_p99_us,
        ),
        (
            Statistic::Max,
            "k-c3",
            palette::SERIES_3,
            &of.lateness_max_us,
        ),
    ];
    let lines = usual.map(|(statistic, class, color, values_us)| {
        let mut longer = of.lines.iter();
        let longer = longer.find(|line| line.of == Lined::Lateness && line.statistic == statistic);
        Line {
            name: name(statistic),
            class,
            color,
            width: if statistic == Statistic::Max {
                1.2
            } else {
                1.4
            },
            step_us: longer.map_or(of.step_us, |line| line.step_us),
            values_us: longer.map_or(values_us, |line| &line.values_us),
        }
    });
    let has_value = |line: &Line<'_>| line.values_us.iter().any(Option::is_some);
    lines.into_iter().filter(has_value).collect()
}

fn keys(result: &RunResult, lines: &[Line<'_>]) -> Vec<Key> {
    let line = |line: &Line<'_>| Key {
        text: line.name.to_owned(),
        class: line.class,
        series: Some(line.name),
    };
    let mut keys: Vec<Key> = lines.iter().map(line).collect();
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

fn reading(line: &Line<'_>) -> Reading {
    Reading {
        name: line.name.to_owned(),
        series: line.name,
        unit: ReadingUnit::Microseconds,
        from: 0.0,
        step: line.step_us as f64 / US_PER_S,
        values: line.values_us.to_vec(),
    }
}

fn finding(result: &RunResult) -> String {
    let Some(late) = result.lateness else {
        return "Nothing was sent.".to_owned();
    };
    format!(
        "From the moment a socket was ready to the write: p50 {}, p99 {}, max {} over {} sends.",
        format::duration(late.p50_us),
        format::duration(late.p99_us),
        format::duration(late.max_us),
        format::count(late.count)
    )
}
