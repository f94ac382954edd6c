//! This module draws series into a frame: steps, lines, areas and bars.
//!
//! **In:** values on the axes of the plot. **Out:** whatever plotters makes of them; `Err` holds what
//! plotters said.

use plotters::chart::ChartContext;
use plotters::coord::cartesian::Cartesian2d;
use plotters::element::{Polygon, Rectangle};
use plotters::series::{AreaSeries, LineSeries};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::axis::Axis;
use super::chart::{Key, Reading, ReadingUnit};
use super::label::FONT_PX;
use super::palette;
use super::svg::{Sheet, Svg, UNITS_PER_PX};

/// The plot inside a frame.
pub(crate) type Plot<'a> = ChartContext<'a, Svg, Cartesian2d<Axis, Axis>>;
/// Drawing worked, or the reason why not.
pub(crate) type Drawn = Result<(), String>;

/// The font of ticks.
pub(crate) fn font() -> TextStyle<'static> {
    ("sans-serif", FONT_PX * f64::from(UNITS_PER_PX))
        .into_font()
        .color(&palette::TEXT)
}

/// A pen of that width in pixels.
pub(crate) fn pen(color: RGBColor, width_px: f64) -> ShapeStyle {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a pen is a few pixels wide"
    )]
    let width = (width_px * f64::from(UNITS_PER_PX)) as u32;
    color.stroke_width(width)
}

/// What is drawn as one series: it can be hidden by its name.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub name: &'static str,
    pub color: RGBColor,
    pub shape: Shape,
    pen_px: f64,
    /// Series of greater depth are drawn first, so that the others lie over them.
    pub depth: usize,
    key: Option<String>,
    reading: Option<Reading>,
}

/// How a series looks.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Steps of one length through the values; one that is missing is a gap.
    Steps(f64, Vec<Option<f64>>),
    Line(Vec<(f64, f64)>),
    /// The area under points, with its upper edge.
    Area(Vec<(f64, f64)>),
    /// Diamonds around points, so wide and high to each side.
    Dots((f64, f64), Vec<(f64, f64)>),
    /// Filled rectangles, from a floor up: left, right, top.
    Bars(f64, Vec<(f64, f64, f64)>),
    /// Filled rectangles: left, bottom, right, top.
    Cells(Vec<[f64; 4]>),
}

/// Size of a dot, as a share of the plot.
const DOT_WIDE: f64 = 0.006;
const DOT_HIGH: f64 = 0.028;
/// Room for a dot at the end of an axis, in halves of a dot.
const DOT_ROOM: f64 = 1.5;

/// Axes on which dots at the upper ends are whole, and how far a dot reaches to each side on them.
pub(super) fn dotted(x: Axis, y: Axis) -> (Axis, Axis, (f64, f64)) {
    let (x, y) = (x.roomy(DOT_WIDE * DOT_ROOM), y.roomy(DOT_HIGH * DOT_ROOM));
    let size = dot(&x, &y);
    (x, y, size)
}

/// How far a dot reaches to each side, on these axes.
pub(super) fn dot(x: &Axis, y: &Axis) -> (f64, f64) {
    ((x.high - x.low) * DOT_WIDE, (y.high - y.low) * DOT_HIGH)
}

impl Series {
    /// A series that the legend calls by its name.
    pub(super) fn new(name: &'static str, color: RGBColor, shape: Shape) -> Self {
        Self {
            name,
            color,
            shape,
            pen_px: 1.5,
            depth: 0,
            key: Some(name.to_owned()),
            reading: None,
        }
    }

    pub(super) fn pen(self, pen_px: f64) -> Self {
        Self { pen_px, ..self }
    }

    pub(super) fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// What the legend says; nothing for a further part of a series that it has already.
    pub(super) fn legend(self, key: Option<String>) -> Self {
        Self { key, ..self }
    }

    /// What the cursor reads of it.
    pub(super) fn read(
        self,
        name: impl Into<String>,
        unit: ReadingUnit,
        step: f64,
        values: impl IntoIterator<Item = Option<u64>>,
    ) -> Self {
        let reading = Some(Reading {
            name: name.into(),
            series: self.name,
            unit,
            step,
            values: values.into_iter().collect(),
        });
        Self { reading, ..self }
    }

    pub(super) fn reading(&self) -> Option<Reading> {
        self.reading.clone()
    }

    /// Its entry in the legend, with a sample of its shape.
    pub(super) fn key(&self) -> Option<Result<Key, String>> {
        let text = self.key.as_ref()?;
        let kind = match self.shape {
            Shape::Bars(..) | Shape::Dots(..) | Shape::Cells(_) => "f",
            Shape::Steps(..) | Shape::Line(_) | Shape::Area(_) => "k",
        };
        let class = palette::class(self.color.to_backend_color());
        let class = class.map(|class| format!("{kind}-{class}"));
        let key = class.map(|class| Key::new(text, &class, Some(self.name)));
        Some(key.map_err(|error| error.to_string()))
    }

    pub(super) fn draw(&self, plot: &mut Plot<'_>, sheet: &Sheet) -> Drawn {
        if matches!(&self.shape, Shape::Line(points) if points.is_empty()) {
            return Ok(());
        }
        sheet.raw(&format!("<g data-s=\"{}\">", self.name));
        let pen = pen(self.color, self.pen_px);
        match &self.shape {
            Shape::Steps(step, values) => steps(plot, *step, values, pen)?,
            Shape::Line(points) => line(plot, points.clone(), pen)?,
            Shape::Area(points) => area(plot, points.clone(), pen)?,
            Shape::Dots(reach, points) => dots(plot, *reach, points, self.color)?,
            Shape::Bars(floor, tops) => bars(plot, *floor, tops, self.color)?,
            Shape::Cells(all) => cells(plot, all, self.color)?,
        }
        sheet.raw("</g>\n");
        Ok(())
    }
}

fn steps(plot: &mut Plot<'_>, step: f64, values: &[Option<f64>], pen: ShapeStyle) -> Drawn {
    let mut run: Vec<(f64, f64)> = Vec::new();
    let mut from = 0.0;
    for value in values.iter().copied().chain([None]) {
        if let Some(y) = value.filter(|y| y.is_finite()) {
            run.push((from, y));
            run.push((from + step, y));
        } else if !run.is_empty() {
            line(plot, std::mem::take(&mut run), pen)?;
        }
        from += step;
    }
    Ok(())
}

fn line(plot: &mut Plot<'_>, points: Vec<(f64, f64)>, pen: ShapeStyle) -> Drawn {
    plot.draw_series(LineSeries::new(points, pen))
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn area(plot: &mut Plot<'_>, points: Vec<(f64, f64)>, edge: ShapeStyle) -> Drawn {
    if points.is_empty() {
        return Ok(());
    }
    let under = AreaSeries::new(points, 0.0, palette::SOFT_1).border_style(edge);
    plot.draw_series(under)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn dots(
    plot: &mut Plot<'_>,
    (wide, high): (f64, f64),
    points: &[(f64, f64)],
    color: RGBColor,
) -> Drawn {
    let diamonds = points.iter().map(|&(x, y)| {
        let corners = vec![(x - wide, y), (x, y + high), (x + wide, y), (x, y - high)];
        Polygon::new(corners, color.filled())
    });
    plot.draw_series(diamonds)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn cells(plot: &mut Plot<'_>, cells: &[[f64; 4]], color: RGBColor) -> Drawn {
    let cells = cells.iter();
    let cells = cells.map(|&[left, bottom, right, top]| {
        Rectangle::new([(left, top), (right, bottom)], color.filled())
    });
    plot.draw_series(cells)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn bars(plot: &mut Plot<'_>, floor: f64, bars: &[(f64, f64, f64)], color: RGBColor) -> Drawn {
    let bars = bars.iter();
    plot.draw_series(
        bars.map(|&(from, to, top)| Rectangle::new([(from, top), (to, floor)], color.filled())),
    )
    .map(|_| ())
    .map_err(|error| error.to_string())
}
