//! This module draws response time over the run, by the time each message should have been sent.
//!
//! **In:** `series.complete_*`, `series.lines`, the faults and the limits on `complete`. **Out:** the main chart.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::chart::{Chart, Width};
use super::draw::Series;
use super::event;
use super::frame::{Frame, Mark};
use super::label::Side;
use super::limit::LimitLine;
use super::over_time::Line;
use super::palette;
use super::sketch::Sketch;
use crate::format::{self, append};
use crate::render::renderer::RenderError;
use crate::render::{view, words};
use crate::result::{CheckStatus, Lined, RunResult};
use crate::scenario::expectation::{Statistic, When};
use crate::stage::Stage;
use crate::units::seconds;

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let lines = lines(result);
    let sketch = Sketch {
        id: "response".into(),
        title: "Response time of `complete`, by when the message should have been sent".to_owned(),
        subject: "Response time of complete over the run",
        finding: finding(result, &lines),
        series: lines
            .iter()
            .enumerate()
            .map(|(place, line)| series(result, line, place))
            .collect(),
    };
    sketch.draw(|width| Frame {
        height: width.pick(280, 220),
        y: Axis::latency(least(result), most(result)),
        marks: marks(result, width),
        limits: limits(result, width),
        events: event::of(result),
        ..Frame::over_time(result, width)
    })
}

/// Colors and pens of the statistics that only an expectation asks for: mean, p90, p95.
const ASKED: [(RGBColor, f64); 3] = [
    (palette::SERIES_4, 1.6),
    (palette::BASE, 1.6),
    (palette::INK, 1.2),
];

/// Every line that has a value, commonest first. A statistic that the usual step does not support is drawn in longer
/// ones, and one that an expectation broke on is always drawn where the run supports it at all.
fn lines(result: &RunResult) -> Vec<Line<'_>> {
    let of = &result.series;
    let usual = [
        (Statistic::P50, palette::SERIES_1, 1.6, &of.complete_p50_us),
        (Statistic::P99, palette::SERIES_2, 1.6, &of.complete_p99_us),
        (
            Statistic::P999,
            palette::SERIES_3,
            1.5,
            &of.complete_p999_us,
        ),
        (Statistic::Max, palette::MOST, 1.0, &of.complete_max_us),
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
    let usual = usual.map(|(statistic, color, pen_px, values_us)| {
        let usual = Line {
            statistic,
            color,
            pen_px,
            step_us: if statistic == Statistic::P999 {
                of.second_us
            } else {
                of.step_us
            },
            values_us,
        };
        usual.longer(longer())
    });
    let asked = longer()
        .filter(|line| {
            let statistic = line.statistic;
            matches!(statistic, Statistic::Mean | Statistic::P90 | Statistic::P95)
        })
        .zip(ASKED)
        .map(|(line, (color, pen_px))| Line {
            statistic: line.statistic,
            color,
            pen_px,
            step_us: line.step_us,
            values_us: &line.values_us,
        });
    usual
        .into_iter()
        .chain(asked)
        .filter(Line::has_value)
        .collect()
}

/// Rarest first, so that the commonest lies on top. A value of longer steps says so to the cursor: it may lie over the
/// maximum of the moment.
fn series(result: &RunResult, line: &Line<'_>, place: usize) -> Series {
    let name = line.statistic.name();
    let reading = if line.step_us > result.series.step_us {
        format!("{name} ({})", format::round_duration(line.step_us as f64))
    } else {
        name.to_owned()
    };
    let depth = if line.statistic == Statistic::Max {
        usize::MAX
    } else {
        place
    };
    line.series(reading).depth(depth)
}

fn limits(result: &RunResult, width: Width) -> Vec<LimitLine> {
    let line = |limit: &view::Limit<'_>| {
        let spans = limit.spans_us.iter();
        let spans = spans.map(|&(from, to)| (seconds(from), seconds(to)));
        LimitLine::new(limit, width, spans.collect())
    };
    view::complete_limits(result).iter().map(line).collect()
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
                at: seconds(at_us),
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
                at: seconds(at_us),
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
    let (place, p99) = (place.text(), format::duration(calm.p99_us));
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
    let percentiles = lines.iter().filter(|line| line.statistic != Statistic::Max);
    let step = |line: &Line<'_>| {
        if line.values_us.len() == 1 {
            return format!("{} over the whole run", line.statistic.name());
        }
        let step = format::round_duration(line.step_us as f64);
        format!("{} every {step}", line.statistic.name())
    };
    let each: Vec<String> = percentiles.map(step).collect();
    let mut text = match each.as_slice() {
        [] => String::new(),
        each => format!(
            " {}: the shortest steps that enough answers support.",
            each.join(", ")
        ),
    };
    let answers = view::response(result, Stage::Complete).map_or(0, |of| of.count);
    for (statistic, needed) in [(Statistic::P99, 100), (Statistic::P999, 1_000)] {
        if lines.iter().any(|line| line.statistic == statistic) {
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
            format_args!(" {} has no line: {why}.", statistic.name()),
        );
    }
    text
}

fn single_fault(result: &RunResult, name: &str, calm: &str) -> String {
    let fault = name.to_owned();
    let p99 = result
        .window(&When::During { fault })
        .and_then(|window| window.latency.get(Stage::Complete.name()))
        .map(|summary| format::duration(summary.p99_us));
    p99.map_or_else(
        || format!("p99 is {calm} outside `{name}`; nothing was completed in it."),
        |worst| format!("p99 is {calm} outside faults and {worst} from `{name}` until recovered."),
    )
}
