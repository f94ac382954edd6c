//! This module draws response time over the run, by the time each message should have been sent.
//!
//! **In:** `series.complete_*`, `series.lines`, the faults and the limits on `complete`. **Out:** the main chart.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::draw::{Drawn, Plot, pen, series, steps};
use super::frame::{Frame, Mark};
use super::label::Side;
use super::limit::{self, LimitLine};
use super::svg::Sheet;
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, spoken};
use crate::render::{RenderError, append, format, view, words};
use crate::result::{CheckStatus, Lined, RunResult, bound_text};
use crate::scenario::expectation::Statistic;
use crate::stage::Stage;

const ID: &str = "response";
const US_PER_S: f64 = 1e6;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let lines = lines(result);
    let finding = finding(result, &lines);
    let draw = |width: Width| {
        let frame = Frame {
            spoken: format!(
                "Response time of complete over the run. {}",
                spoken(&finding)
            ),
            height: width.pick(280, 220),
            y: Axis::latency(least(result), most(result)),
            marks: marks(result, width),
            limits: limits(result, width),
            ..Frame::over_time(ID, result, width)
        };
        frame.draw(|plot, sheet| curves(&lines, plot, sheet))
    };
    Ok(Chart {
        id: ID,
        title: "Response time of `complete`, by when the message should have been sent".to_owned(),
        keys: keys(result, &lines),
        readings: lines.iter().map(|line| reading(result, line)).collect(),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    })
}

/// One line of the chart.
struct Line<'a> {
    name: &'static str,
    look: (RGBColor, &'static str, f64),
    step_us: u64,
    values_us: &'a [Option<u64>],
}

const MOST: (RGBColor, &str, f64) = (palette::MOST, "k-most", 1.0);
const P999: (RGBColor, &str, f64) = (palette::SERIES_3, "k-c3", 1.5);
const P99: (RGBColor, &str, f64) = (palette::SERIES_2, "k-c2", 1.6);
const P50: (RGBColor, &str, f64) = (palette::SERIES_1, "k-c1", 1.6);
/// Of the statistics that only an expectation asks for: mean, p90, p95.
const ASKED: [(RGBColor, &str, f64); 3] = [
    (palette::SERIES_4, "k-c4", 1.6),
    (palette::BASE, "k-base", 1.6),
    (palette::INK, "k-ink", 1.2),
];

/// Every line that has a value, commonest first. A statistic that the usual step does not support is drawn in longer
/// ones, and one that an expectation broke on is always drawn where the run supports it at all.
fn lines(result: &RunResult) -> Vec<Line<'_>> {
    let of = &result.series;
    let usual = [
        (Statistic::P50, P50, of.step_us, &of.complete_p50_us),
        (Statistic::P99, P99, of.step_us, &of.complete_p99_us),
        (Statistic::P999, P999, of.second_us, &of.complete_p999_us),
        (Statistic::Max, MOST, of.step_us, &of.complete_max_us),
    ];
    // One value for the whole run is no line over time: it is drawn where it is what broke.
    let limits = view::complete_limits(result);
    let broke = |statistic: Statistic| {
        limits
            .iter()
            .any(|limit| limit.statistic == statistic && limit.row.status == CheckStatus::Broke)
    };
    let longer = || {
        let lines = of.lines.iter().filter(|line| line.of == Lined::Complete);
        lines.filter(|line| line.values_us.len() > 1 || broke(line.statistic))
    };
    let usual = usual.map(|(statistic, look, step_us, values_us)| {
        let better = longer().find(|line| line.statistic == statistic);
        Line {
            name: name(statistic),
            look,
            step_us: better.map_or(step_us, |line| line.step_us),
            values_us: better.map_or(values_us, |line| &line.values_us),
        }
    });
    let asked = longer()
        .filter(|line| {
            let statistic = line.statistic;
            matches!(statistic, Statistic::Mean | Statistic::P90 | Statistic::P95)
        })
        .zip(ASKED)
        .map(|(line, look)| Line {
            name: name(line.statistic),
            look,
            step_us: line.step_us,
            values_us: &line.values_us,
        });
    let has_value = |line: &Line<'_>| line.values_us.iter().any(Option::is_some);
    usual.into_iter().chain(asked).filter(has_value).collect()
}

pub(super) const fn name(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Mean => "mean",
        Statistic::P50 => "p50",
        Statistic::P90 => "p90",
        Statistic::P95 => "p95",
        Statistic::P99 => "p99",
        Statistic::P999 => "p99.9",
        Statistic::Max => "max",
    }
}

/// Rarest first, so that the commonest lies on top.
fn curves(lines: &[Line<'_>], plot: &mut Plot<'_>, sheet: &Sheet) -> Drawn {
    let asked_last = |line: &&Line<'_>| line.look.1 == MOST.1;
    let (most, others): (Vec<_>, Vec<_>) = lines.iter().partition(asked_last);
    for line in most.into_iter().chain(others.into_iter().rev()) {
        let (color, _, width) = line.look;
        series(sheet, line.name, || {
            let step = line.step_us as f64 / US_PER_S;
            steps(plot, step, &log(line.values_us), pen(color, width))
        })?;
    }
    Ok(())
}

fn limits(result: &RunResult, width: Width) -> Vec<LimitLine> {
    let line = |limit: view::Limit<'_>| LimitLine {
        spans: limit
            .spans_us
            .iter()
            .map(|&(from, to)| (from as f64 / US_PER_S, to as f64 / US_PER_S))
            .collect(),
        y: limit.value_us.max(1.0).log10(),
        text: limit_text(&limit, width),
        status: limit.row.status,
    };
    view::complete_limits(result)
        .into_iter()
        .map(line)
        .collect()
}

/// `p99 < 200 ms, whole run`; without the place where there is little room.
pub(super) fn limit_text(limit: &view::Limit<'_>, width: Width) -> String {
    let what = format!("{} {}", name(limit.statistic), bound_text(limit.row));
    match width {
        Width::Wide => format!("{what}, {}", limit.row.when),
        Width::Narrow => what,
    }
}

/// The legend of the limits: those that were met, and those that were not.
pub(super) fn limit_keys(result: &RunResult) -> Vec<Key> {
    let limits = view::complete_limits(result);
    let broke = |limit: &view::Limit<'_>| limit.row.status == CheckStatus::Broke;
    let key = |text: &str, class| Key {
        text: text.to_owned(),
        class,
        series: Some(limit::SERIES),
    };
    let met = limits.iter().any(|limit| !broke(limit));
    let over = limits.iter().any(broke);
    let met = met.then(|| key("limit", "k-limit"));
    let over = over.then(|| key("limit, not met", "k-limit k-over"));
    met.into_iter().chain(over).collect()
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
    let limit = limits.last().map_or(0.0, |limit| limit.value_us);
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

fn finding(result: &RunResult, lines: &[Line<'_>]) -> String {
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
    text.push_str(&steps_told(result, lines));
    text
}

/// ` p50 every 250 ms, p99 every 1 s: the shortest steps that enough answers support.`
fn steps_told(result: &RunResult, lines: &[Line<'_>]) -> String {
    let percentiles = lines
        .iter()
        .filter(|line| line.name != name(Statistic::Max));
    let step = |line: &Line<'_>| {
        if line.values_us.len() == 1 {
            return format!("{} over the whole run", line.name);
        }
        let step = format::round_duration(line.step_us as f64);
        format!("{} every {step}", line.name)
    };
    let each: Vec<String> = percentiles.map(step).collect();
    let mut text = match each.as_slice() {
        [] => String::new(),
        each => format!(
            " {}: the shortest steps that enough answers support.",
            each.join(", ")
        ),
    };
    let answers = result.latency.get(Stage::Complete.name());
    let answers = answers
        .and_then(|stage| stage.response)
        .map_or(0, |of| of.count);
    for (statistic, needed) in [(Statistic::P99, 100), (Statistic::P999, 1_000)] {
        if lines.iter().any(|line| line.name == name(statistic)) {
            continue;
        }
        let why = if answers < needed {
            let (needed, answers) = (format::count(needed), format::count(answers));
            format!("it needs {needed} answers, and there were {answers}")
        } else {
            "only the whole run supports it".to_owned()
        };
        append(
            &mut text,
            format_args!(" {} has no line: {why}.", name(statistic)),
        );
    }
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

fn keys(result: &RunResult, lines: &[Line<'_>]) -> Vec<Key> {
    let line = |line: &Line<'_>| Key {
        text: line.name.to_owned(),
        class: line.look.1,
        series: Some(line.name),
    };
    let mut keys: Vec<Key> = lines.iter().map(line).collect();
    keys.extend(limit_keys(result));
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

/// A value of longer steps says so: it may lie over the maximum of the moment.
fn reading(result: &RunResult, line: &Line<'_>) -> Reading {
    let step = format::round_duration(line.step_us as f64);
    let name = if line.step_us > result.series.step_us {
        format!("{} ({step})", line.name)
    } else {
        line.name.to_owned()
    };
    Reading {
        name,
        series: line.name,
        unit: ReadingUnit::Microseconds,
        from: 0.0,
        step: line.step_us as f64 / US_PER_S,
        values: line.values_us.to_vec(),
    }
}
