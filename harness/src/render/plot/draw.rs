//! This module draws series into a frame: steps, lines, areas and bars.
//!
//! **In:** values on the axes of the plot. **Out:** whatever plotters makes of them; `Err` holds what
//! plotters said.

use plotters::chart::ChartContext;
use plotters::coord::cartesian::Cartesian2d;
use plotters::element::Rectangle;
use plotters::series::{AreaSeries, LineSeries};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::axis::Axis;
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
pub(crate) fn series(sheet: &Sheet, name: &str, draw: impl FnOnce() -> Drawn) -> Drawn {
    sheet.raw(&format!("<g data-s=\"{name}\">"));
    draw()?;
    sheet.raw("</g>\n");
    Ok(())
}

/// Steps through the bins that have a value; a bin without one is a gap.
pub(crate) fn steps(
    plot: &mut Plot<'_>,
    step: f64,
    values: &[Option<f64>],
    pen: ShapeStyle,
) -> Drawn {
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

/// A line through points.
pub(crate) fn line(plot: &mut Plot<'_>, points: Vec<(f64, f64)>, pen: ShapeStyle) -> Drawn {
    plot.draw_series(LineSeries::new(points, pen))
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// The area under points, with its upper edge.
pub(crate) fn area(plot: &mut Plot<'_>, points: Vec<(f64, f64)>, edge: ShapeStyle) -> Drawn {
    let under = AreaSeries::new(points, 0.0, palette::SOFT_1).border_style(edge);
    plot.draw_series(under)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Filled rectangles: left, right, top; down to `floor`.
pub(crate) fn bars(
    plot: &mut Plot<'_>,
    floor: f64,
    bars: impl Iterator<Item = (f64, f64, f64)>,
    color: RGBColor,
) -> Drawn {
    let rectangles =
        bars.map(|(from, to, top)| Rectangle::new([(from, top), (to, floor)], color.filled()));
    plot.draw_series(rectangles)
        .map(|_| ())
        .map_err(|error| error.to_string())
}
