//! This module draws response time over the run, by the time each message should have been sent.
//!
//! **In:** `series.complete_*`, the faults and the limits on `complete`. **Out:** the main chart.

use super::axis::Axis;
use super::draw::{Drawn, Plot, line, pen, series, steps};
use super::frame::{Frame, Mark};
use super::label::Side;
use super::svg::Sheet;
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, spoken};
use crate::render::{RenderError, format, view, words};
use crate::result::RunResult;
use crate::stage::Stage;

const ID: &str = "response";
const US_PER_S: f64 = 1e6;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let finding = finding(result);
    let draw = |width: Width| {
        let frame = Frame {
            spoken: format!(
                "Response time of complete over the run. {}",
                spoken(&finding)
            ),
            height: width.pick(280, 220),
            y: Axis::latency(least(result), most(result)),
            marks: marks(result, width),
            ..Frame::over_time(ID, result, width)
        };
        frame.draw(|plot, sheet| curves(result, plot, sheet))
    };
    Ok(Chart {
        id: ID,
        title: "Response time of `complete`, by when the message should have been sent".to_owned(),
        keys: keys(result),
        readings: readings(result),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    })
}

/// The four lines, rarest first, so that the commonest lies on top.
fn curves(result: &RunResult, plot: &mut Plot<'_>, sheet: &Sheet) -> Drawn {
    let of = &result.series;
    let (step, second) = (of.step_us as f64 / US_PER_S, of.second_us as f64 / US_PER_S);
    limits(result, plot, sheet)?;
    series(sheet, "max", || {
        steps(
            plot,
            step,
            &log(&of.complete_max_us),
            pen(palette::MOST, 1.0),
        )
    })?;
    series(sheet, "p99.9", || {
        steps(
            plot,
            second,
            &log(&of.complete_p999_us),
            pen(palette::SERIES_3, 1.5),
        )
    })?;
    series(sheet, "p99", || {
        steps(
            plot,
            step,
            &log(&of.complete_p99_us),
            pen(palette::SERIES_2, 1.6),
        )
    })?;
    series(sheet, "p50", || {
        steps(
            plot,
            step,
            &log(&of.complete_p50_us),
            pen(palette::SERIES_1, 1.6),
        )
    })
}

fn limits(result: &RunResult, plot: &mut Plot<'_>, sheet: &Sheet) -> Drawn {
    let end = result.run.duration_us as f64 / US_PER_S;
    series(sheet, "limit", || {
        for (limit_us, _) in view::complete_limits(result) {
            let y = limit_us.max(1.0).log10();
            line(plot, vec![(0.0, y), (end, y)], pen(palette::LIMIT, 1.5))?;
        }
        Ok(())
    })
}

pub(super) fn log(values: &[Option<u64>]) -> Vec<Option<f64>> {
    let log = |us: u64| (us.max(1) as f64).log10();
    values.iter().map(|value| value.map(log)).collect()
}

fn least(result: &RunResult) -> f64 {
    let values = result.series.complete_p50_us.iter().flatten();
    values.min().map_or(10_000.0, |&us| us as f64)
}

fn most(result: &RunResult) -> f64 {
    let values = result.series.complete_max_us.iter().flatten();
    let shown = values.max().map_or(1_000_000.0, |&us| us as f64);
    let limits = view::complete_limits(result);
    let limit = limits.last().map_or(0.0, |&(us, _)| us);
    shown.max(limit)
}

/// Impact to the left of its line, recovery to the right: they never meet.
fn marks(result: &RunResult, width: Width) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (place, fault) in result.faults.iter().enumerate() {
        if let (Some(at_us), Some(after_us)) = (view::impact_at_us(result, place), fault.impact_us)
        {
            let after = format::duration(after_us);
            marks.push(Mark {
                at: at_us as f64 / US_PER_S,
                text: match width {
                    Width::Wide => format!("impact +{after}"),
                    Width::Narrow => "impact".to_owned(),
                },
                class: "bad",
                side: Side::Left,
            });
        }
        if let (Some(at_us), Some(_)) = (fault.recovered_at_us, fault.recovery_us) {
            let after = match words::recovery(fault) {
                at_best if at_best.starts_with('<') => at_best,
                known => format!("+{known}"),
            };
            marks.push(Mark {
                at: at_us as f64 / US_PER_S,
                text: match width {
                    Width::Wide => format!("recovered {after}"),
                    Width::Narrow => "recovered".to_owned(),
                },
                class: "good",
                side: Side::Right,
            });
        }
    }
    marks
}

fn finding(result: &RunResult) -> String {
    let Some((place, calm)) = view::calm(result) else {
        return "No message was completed.".to_owned();
    };
    let p99 = format::duration(calm.p99_us);
    let mut text = match result.faults.as_slice() {
        [] => {
            let (p50, most) = (format::duration(calm.p50_us), format::duration(calm.max_us));
            format!("p50 {p50}, p99 {p99}, at most {most} over the {place}.")
        }
        [fault] => single_fault(result, &fault.name, &p99),
        faults => format!("p99 {p99} {place}; {} faults.", faults.len()),
    };
    if !result.faults.is_empty() {
        text.push_str(" Messages in flight when a fault begins are hit too, so the rise starts before its window.");
    }
    let (step, second) = (result.series.step_us, result.series.second_us);
    let steps = format!(
        " p50 and p99 every {}, p99.9 every {}, only where enough answers support them.",
        format::round_duration(step as f64),
        format::round_duration(second as f64)
    );
    text.push_str(&steps);
    text
}

fn single_fault(result: &RunResult, name: &str, calm: &str) -> String {
    let during = format!("during {name}");
    let p99 = view::named(result, &during)
        .and_then(|window| window.latency.get(Stage::Complete.name()))
        .map(|summary| format::duration(summary.p99_us));
    p99.map_or_else(
        || format!("p99 is {calm} outside `{name}`; nothing was completed in it."),
        |worst| format!("p99 is {calm} outside faults and {worst} from `{name}` until recovered."),
    )
}

fn keys(result: &RunResult) -> Vec<Key> {
    let line = |name: &'static str, class| Key {
        text: name.to_owned(),
        class,
        series: Some(name),
    };
    let of = &result.series;
    let lines = [
        ("p50", "k-c1", &of.complete_p50_us),
        ("p99", "k-c2", &of.complete_p99_us),
        ("p99.9", "k-c3", &of.complete_p999_us),
        ("max", "k-most", &of.complete_max_us),
    ];
    // A percentile that nothing supports has no line.
    let drawn = lines
        .into_iter()
        .filter(|(_, _, values)| values.iter().any(Option::is_some));
    let mut keys: Vec<Key> = drawn.map(|(name, class, _)| line(name, class)).collect();
    let limits: Vec<String> = view::complete_limits(result)
        .iter()
        .map(|&(us, _)| format::round_duration(us))
        .collect();
    if !limits.is_empty() {
        keys.push(Key {
            text: format!("limit {}", limits.join(", ")),
            class: "k-limit",
            series: Some("limit"),
        });
    }
    keys.extend(fault_key(result));
    keys
}

/// The legend of the fault windows, where there are any.
pub(super) fn fault_key(result: &RunResult) -> Option<Key> {
    let confirmed = result.faults.iter().any(|fault| fault.confirmed);
    confirmed.then(|| Key {
        text: "fault, confirmed".to_owned(),
        class: "f-fault",
        series: None,
    })
}

fn readings(result: &RunResult) -> Vec<Reading> {
    let of = &result.series;
    let one = |name: &str, step_us: u64, values: &[Option<u64>]| Reading {
        name: name.to_owned(),
        unit: ReadingUnit::Microseconds,
        from: 0.0,
        step: step_us as f64 / US_PER_S,
        values: values.to_vec(),
    };
    vec![
        one("p50", of.step_us, &of.complete_p50_us),
        one("p99", of.step_us, &of.complete_p99_us),
        one("p99.9", of.second_us, &of.complete_p999_us),
        one("max", of.step_us, &of.complete_max_us),
    ]
}
