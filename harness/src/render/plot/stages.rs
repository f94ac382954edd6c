//! This module draws where the time of a session and of a message goes.
//!
//! **In:** the stage latencies of the windows that know most of each. **Out:** one small picture per group: a bar is
//! the median step from the stage before, a whisker ends at p99.

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::drawing::IntoDrawingArea;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, TRANSPARENT};

use super::axis::Axis;
use super::chart::{Chart, Key, Width};
use super::draw::{font, pen};
use super::palette;
use super::svg::{Sheet, Svg, UNITS_PER_PX, escape};
use crate::format::{self, append};
use crate::render::renderer::RenderError;
use crate::render::view;
use crate::result::{RunResult, Summary};
use crate::scenario::expectation::When;
use crate::stage::Stage;

const ID: &str = "stages";
/// Pixels: names to the left, figures to the right, one row, the axis below.
const LEFT: i32 = 92;
const RIGHT: i32 = 168;
const ROW: i32 = 24;
const BELOW: i32 = 22;

const OPENING: [Stage; 5] = [
    Stage::Token,
    Stage::Tcp,
    Stage::Tls,
    Stage::Upgrade,
    Stage::SessionReady,
];
const MESSAGE: [Stage; 4] = [
    Stage::TaskQueued,
    Stage::FirstChunk,
    Stage::Complete,
    Stage::FanOut,
];
const APART: [Stage; 3] = [Stage::Heartbeat, Stage::Reconnect, Stage::Silence];

/// Samples without which a p99 is none.
const P99_SAMPLES: u64 = 100;

/// A stage with the median at which it begins.
struct Row {
    stage: Stage,
    from_us: u64,
    of: Summary,
}

struct Group {
    head: &'static str,
    /// The window.
    place: String,
    rows: Vec<Row>,
}

pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let groups = groups(result);
    if groups.is_empty() {
        return Ok(None);
    }
    let draw = |width: Width| {
        let mut markup = String::new();
        for group in &groups {
            let picture = picture(group, width).map_err(|problem| RenderError::Chart {
                chart: ID.to_owned(),
                problem,
            })?;
            let (head, place) = (group.head, escape(&group.place));
            append(
                &mut markup,
                format_args!("<h4>{head}: {place}</h4>\n{picture}"),
            );
        }
        Ok(markup)
    };
    let key = |text, class| Key::new(text, class, None);
    Ok(Some(Chart {
        id: ID.into(),
        title: "Where the time goes".to_owned(),
        finding: "Each group in the window that has most samples of it. The figures are p50 · p99 of the stage from the intended start, and how many samples they stand for (n); a p99 takes 100. Percentiles of stages do not add up to the percentile of the whole.".to_owned(),
        keys: vec![key("median step", "f-c1"), key("to p99", "k-c2")],
        readings: Vec::new(),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
    }))
}

/// Sessions are opened in the ramp and messages sent after it: each group has a window of its own. What happens apart,
/// such as a reconnect, is of the whole run.
fn groups(result: &RunResult) -> Vec<Group> {
    let chain = |head, stages: &[Stage]| {
        let window = view::fullest(result, stages)?;
        let mut from_us = 0;
        let mut rows = Vec::new();
        for &stage in stages {
            if let Some(&of) = window.latency.get(stage.name()) {
                rows.push(Row { stage, from_us, of });
                from_us = of.p50_us;
            }
        }
        let place = format::harmless(&window.name);
        Some(Group { head, place, rows })
    };
    let apart = APART.into_iter().filter_map(|stage| {
        let of = view::response(result, stage)?;
        Some(Row {
            stage,
            from_us: 0,
            of,
        })
    });
    let apart = Group {
        head: "Each from its own start",
        place: When::WholeRun.text(),
        rows: apart.collect(),
    };
    let chains = [
        chain("Opening a session, from its intended start", &OPENING),
        chain("One message, from its intended send", &MESSAGE),
        Some(apart),
    ];
    let groups = chains.into_iter().flatten();
    groups.filter(|group| !group.rows.is_empty()).collect()
}

/// `529 µs · 3.10 ms · n 200`; a p99 only where enough samples support it.
fn figures(of: &Summary) -> String {
    let p99 = supported_p99(of);
    format!(
        "{} · {} · n{}{}",
        format::duration(of.p50_us),
        format::duration_or_none(p99),
        format::NBSP,
        format::count(of.count)
    )
}

fn supported_p99(of: &Summary) -> Option<u64> {
    (of.count >= P99_SAMPLES).then_some(of.p99_us)
}

fn spoken(group: &Group) -> String {
    let each: Vec<String> = group
        .rows
        .iter()
        .map(|row| {
            let p50 = format::duration(row.of.p50_us);
            let p99 = format::duration_or_none(supported_p99(&row.of));
            let n = format::count(row.of.count);
            format!("{} p50 {p50}, p99 {p99}, {n} samples", row.stage.name())
        })
        .collect();
    format!("{}, {}: {}.", group.head, group.place, each.join("; "))
}

fn picture(group: &Group, width: Width) -> Result<String, String> {
    let width = width.pick(470, 340);
    let count = i32::try_from(group.rows.len()).unwrap_or(0);
    let height = ROW * count + BELOW + 4;
    let sheet = Sheet::default();
    let size = |length: i32| length.unsigned_abs();
    let root = Svg::new(&sheet, size(width), size(height)).into_drawing_area();
    sheet.raw(&format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\">\n",
        escape(&spoken(group))
    ));
    let ends = group.rows.iter();
    let most = ends
        .map(|row| supported_p99(&row.of).unwrap_or(row.of.p50_us))
        .max();
    let x = Axis::linear_time(most.unwrap_or(1) as f64);
    let y = Axis {
        low: f64::from(count),
        high: 0.0,
        ticks: Vec::new(),
    };
    let mut plot = ChartBuilder::on(&root)
        .margin_top(4 * UNITS_PER_PX)
        .margin_right(RIGHT * UNITS_PER_PX)
        .set_label_area_size(LabelAreaPosition::Left, LEFT * UNITS_PER_PX)
        .set_label_area_size(LabelAreaPosition::Bottom, BELOW * UNITS_PER_PX)
        .build_cartesian_2d(x.clone(), y)
        .map_err(|error| error.to_string())?;
    plot.configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_label_formatter(&|at| x.text_at(*at))
        .x_label_style(font())
        .bold_line_style(pen(palette::GRID, 1.0))
        .light_line_style(TRANSPARENT)
        .axis_style(TRANSPARENT)
        .set_tick_mark_size(LabelAreaPosition::Bottom, 3 * UNITS_PER_PX)
        .draw()
        .map_err(|error| error.to_string())?;
    let mut top = 0.0;
    for row in &group.rows {
        draw_row(&mut plot, row, top).map_err(|error| error.to_string())?;
        let (_, middle) = plot.backend_coord(&(0.0, top + 0.5));
        let place = |side| Pos::new(side, VPos::Center);
        let name = ("sans-serif", 12 * UNITS_PER_PX)
            .into_font()
            .color(&palette::INK);
        let figures = figures(&row.of);
        let texts = [
            (row.stage.name(), name.pos(place(HPos::Right)), LEFT - 8),
            (
                figures.as_str(),
                font().pos(place(HPos::Left)),
                width - RIGHT + 8,
            ),
        ];
        for (text, style, at) in texts {
            root.draw_text(text, &style, (at * UNITS_PER_PX, middle))
                .map_err(|error| error.to_string())?;
        }
        top += 1.0;
    }
    sheet.raw("</svg>\n");
    Ok(sheet.take())
}

type PlotError = plotters::drawing::DrawingAreaErrorKind<palette::UnknownColor>;

fn draw_row(plot: &mut super::draw::Plot<'_>, row: &Row, top: f64) -> Result<(), PlotError> {
    let (from, p50) = (row.from_us as f64, row.of.p50_us as f64);
    let bar = [(from.min(p50), top + 0.24), (p50, top + 0.76)];
    plot.draw_series([Rectangle::new(bar, palette::SERIES_1.filled())])?;
    let Some(p99) = supported_p99(&row.of) else {
        return Ok(());
    };
    let p99 = p99 as f64;
    let whisker = pen(palette::SERIES_2, 2.0);
    plot.draw_series([
        PathElement::new(vec![(p50, top + 0.5), (p99, top + 0.5)], whisker),
        PathElement::new(vec![(p99, top + 0.26), (p99, top + 0.74)], whisker),
    ])?;
    Ok(())
}
