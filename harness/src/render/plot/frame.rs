//! This module draws what all charts share: axes, fault windows, marks and the labels above them.
//!
//! **In:** a [`Frame`] and what to draw inside. **Out:** one `<svg>` element.
//!
//! The series lie in a nested `<svg>`, so that a script can zoom by its `viewBox` alone, and so that
//! nothing is drawn outside the plot.

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::drawing::IntoDrawingArea;
use plotters::style::TRANSPARENT;

use super::axis::{Axis, Plane};
use super::chart::{Key, Width};
use super::draw::{Drawn, Plot, Series, font, pen};
use super::event::{self, Event};
use super::label::{self, FONT_PX, Label, Side};
use super::limit::{self, LimitLine};
use super::palette;
use super::svg::{Sheet, Svg, UNITS_PER_PX, escape, px};
use crate::format::{self, append};
use crate::render::view;
use crate::result::RunResult;
use crate::units::seconds;

/// Height of one row of labels, and the distance of the lowest from the plot.
const ROW_PX: f64 = 13.0;
const LIFT_PX: f64 = 5.0;
/// Distance of the ticks' text below the plot.
const TICK_PX: f64 = 15.0;
const NAME_PX: f64 = 31.0;

/// A chart without its series.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// `time`: one cursor moves through all of this kind.
    pub kind: &'static str,
    pub width: i32,
    /// Height of the plot itself.
    pub height: i32,
    pub x: Axis,
    pub y: Axis,
    pub x_name: &'static str,
    pub bands: Vec<Band>,
    pub marks: Vec<Mark>,
    pub limits: Vec<LimitLine>,
    pub events: Vec<Event>,
}

/// A stretch of time in which a fault was in force.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    pub from: f64,
    pub to: f64,
    pub name: String,
    pub confirmed: bool,
}

/// A moment worth a line.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub at: f64,
    pub text: String,
    /// `good` or `bad`.
    pub class: &'static str,
    pub side: Side,
}

impl Frame {
    /// A frame over the time of the run, with its fault windows.
    pub(crate) fn over_time(result: &RunResult, width: Width) -> Self {
        let bands = (0..result.faults.len()).filter_map(|place| {
            let (from_us, to_us) = view::fault_span_us(result, place)?;
            let fault = &result.faults[place];
            Some(Band {
                from: seconds(from_us),
                to: seconds(to_us),
                name: if fault.confirmed {
                    fault.name.clone()
                } else {
                    format!("{} (not confirmed)", fault.name)
                },
                confirmed: fault.confirmed,
            })
        });
        Self {
            kind: "time",
            width: width.pick(1040, 340),
            height: width.pick(200, 180),
            x: Axis::time(end_us(result), width.pick(13, 7)),
            y: Axis::count(1),
            x_name: "",
            bands: bands.collect(),
            marks: Vec::new(),
            limits: Vec::new(),
            events: Vec::new(),
        }
    }

    fn left(&self) -> i32 {
        if self.width < 400 { 50 } else { 58 }
    }

    fn right(&self) -> i32 {
        if self.width < 400 { 14 } else { 18 }
    }

    fn plot_width(&self) -> i32 {
        self.width - self.left() - self.right()
    }

    /// The plot, below so many pixels.
    fn plane(&self, top: i32) -> Plane<'_> {
        Plane {
            x: &self.x,
            y: &self.y,
            left: self.left(),
            top,
            width: self.plot_width(),
            height: self.height,
        }
    }

    /// The legend of the limits and of the fault windows, where there are any.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys = limit::keys(&self.limits);
        if self.bands.iter().any(|band| band.confirmed) {
            keys.push(Key::new("fault, confirmed", "f-fault", None));
        }
        if !self.events.is_empty() {
            keys.push(Key::new("messages that ended badly", "k-event", None));
        }
        keys
    }

    fn labels(&self) -> Vec<label::Placed> {
        let plane = self.plane(0);
        let marks = self.marks.iter().map(|mark| Label {
            text: mark.text.clone(),
            class: mark.class,
            at: plane.x_at(mark.at),
            side: mark.side,
        });
        let names = self.bands.iter().map(|band| Label {
            text: format::harmless(&band.name),
            class: "ink",
            at: f64::midpoint(plane.x_at(band.from), plane.x_at(band.to)),
            side: Side::Middle,
        });
        label::place(marks.chain(names).collect(), f64::from(self.width))
    }

    /// Draws the frame and, inside, the series.
    ///
    /// # Errors
    ///
    /// What plotters said.
    pub(super) fn draw(&self, id: &str, said: &str, series: &[Series]) -> Result<String, String> {
        let labels = self.labels();
        let rows = labels
            .iter()
            .map(|placed| placed.row + 1)
            .max()
            .unwrap_or(0);
        let top = top_px(rows);
        let plane = self.plane(top);
        let bottom = if self.x_name.is_empty() { 22 } else { 38 };
        let height = top + self.height + bottom;
        let sheet = Sheet::default();
        let size = |length: i32| length.unsigned_abs();
        let root = Svg::new(&sheet, size(self.width), size(height)).into_drawing_area();
        let mut plot = ChartBuilder::on(&root)
            .margin_top(top * UNITS_PER_PX)
            .margin_right(self.right() * UNITS_PER_PX)
            .margin_bottom(bottom * UNITS_PER_PX)
            .set_label_area_size(LabelAreaPosition::Left, self.left() * UNITS_PER_PX)
            .build_cartesian_2d(self.x.clone(), self.y.clone())
            .map_err(|error| error.to_string())?;
        sheet.raw(&self.opening(id, said, &plane, height));
        self.grid(&mut plot)?;
        sheet.raw(&self.inner(&plane));
        sheet.raw(&limit::lines(&self.limits, &plane));
        let mut lowest_first: Vec<&Series> = series.iter().collect();
        lowest_first.sort_by_key(|one| std::cmp::Reverse(one.depth));
        for one in lowest_first {
            one.draw(&mut plot, &sheet)?;
        }
        sheet.raw(&event::marks(&self.events, &plane));
        sheet.raw(&self.mark_lines(&plane));
        sheet.raw("</svg>\n");
        sheet.raw(&self.below(&plane));
        sheet.raw(&above(&labels, top));
        sheet.raw(&limit::labels(&self.limits, &plane));
        sheet.raw("</svg>\n");
        Ok(sheet.take())
    }

    fn opening(&self, id: &str, said: &str, plane: &Plane<'_>, height: i32) -> String {
        format!(
            "<svg class=\"chart\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {} {height}\" data-id=\"{}\" data-kind=\"{}\" data-p=\"{} {} {} {}\" data-x=\"{} {}\">\n",
            escape(said),
            self.width,
            id,
            self.kind,
            plane.left,
            plane.top,
            plane.width,
            plane.height,
            self.x.low,
            self.x.high
        )
    }

    fn grid(&self, plot: &mut Plot<'_>) -> Drawn {
        let text = |at: &f64| self.y.text_at(*at);
        plot.configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_label_formatter(&text)
            .y_label_style(font())
            .bold_line_style(pen(palette::GRID, 1.0))
            .light_line_style(TRANSPARENT)
            .axis_style(TRANSPARENT)
            .set_tick_mark_size(LabelAreaPosition::Left, 5 * UNITS_PER_PX)
            .draw()
            .map_err(|error| error.to_string())
    }

    /// The nested picture and the fault windows in it.
    fn inner(&self, plane: &Plane<'_>) -> String {
        let &Plane {
            left,
            top,
            width,
            height,
            ..
        } = plane;
        let mut markup = format!(
            "<svg class=\"plot\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" viewBox=\"{left} {top} {width} {height}\" preserveAspectRatio=\"none\">\n"
        );
        for band in &self.bands {
            let (from, to) = (plane.x_at(band.from), plane.x_at(band.to));
            let edge = if band.confirmed {
                "k-edge"
            } else {
                "k-edge k-plan"
            };
            let fill = if band.confirmed {
                let wide = px(to - from);
                format!(
                    "<path class=\"f-fault\" d=\"M{} {top}h{wide}v{height}h-{wide}z\"/>",
                    px(from)
                )
            } else {
                String::new()
            };
            append(
                &mut markup,
                format_args!(
                    "{fill}<path class=\"{edge}\" d=\"M{} {top}v{height}M{} {top}v{height}\"/>\n",
                    px(from),
                    px(to)
                ),
            );
        }
        markup
    }

    fn mark_lines(&self, plane: &Plane<'_>) -> String {
        let line = |mark: &Mark| {
            let at = px(plane.x_at(mark.at));
            format!(
                "<path class=\"k-{}\" d=\"M{at} {}v{}\"/>\n",
                mark.class, plane.top, plane.height
            )
        };
        self.marks.iter().map(line).collect()
    }

    /// The x axis with its ticks.
    fn below(&self, plane: &Plane<'_>) -> String {
        let base = f64::from(plane.top + plane.height);
        let mut markup = format!(
            "<path class=\"k-axis\" d=\"M{} {}h{}\"/>\n<g class=\"f-text ticks\" font-size=\"{FONT_PX}\" text-anchor=\"middle\">",
            plane.left,
            px(base),
            plane.width
        );
        for tick in &self.x.ticks {
            append(
                &mut markup,
                format_args!(
                    "<text x=\"{}\" y=\"{}\">{}</text>",
                    px(plane.x_at(tick.at)),
                    px(base + TICK_PX),
                    escape(&tick.text)
                ),
            );
        }
        if !self.x_name.is_empty() {
            let middle = f64::from(plane.left) + f64::from(plane.width) / 2.0;
            append(
                &mut markup,
                format_args!(
                    "<text x=\"{}\" y=\"{}\">{}</text>",
                    px(middle),
                    px(base + NAME_PX),
                    self.x_name
                ),
            );
        }
        markup.push_str("</g>\n");
        markup
    }
}

/// End of the last whole bin: what ended a moment after the load is still seen.
fn end_us(result: &RunResult) -> u64 {
    let bin_us = result.series.second_us.max(1);
    result.run.duration_us.div_ceil(bin_us) * bin_us
}

fn top_px(rows: usize) -> i32 {
    let rows = i32::try_from(rows).unwrap_or(0);
    if rows == 0 { 8 } else { 7 + 13 * rows }
}

fn above(labels: &[label::Placed], top: i32) -> String {
    let mut markup = String::new();
    for placed in labels {
        let row = u32::try_from(placed.row).map_or(0.0, f64::from);
        append(
            &mut markup,
            format_args!(
                "<text class=\"f-{} above\" data-at=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{FONT_PX}\">{}</text>\n",
                placed.label.class,
                px(placed.label.at),
                px(placed.x),
                px(f64::from(top) - LIFT_PX - row * ROW_PX),
                escape(&placed.label.text)
            ),
        );
    }
    markup
}
