//! This module is a plotters backend that writes small SVG with classes in place of colours.
//!
//! **In:** what plotters draws, in tenths of a pixel. **Out:** SVG elements: relative paths with one
//! decimal, `k-NAME` for strokes and `f-NAME` for fills, text as text. Neighbouring rectangles of
//! one colour become one path.
//!
//! Plotters' own SVG writer rounds to whole pixels (steps come out as staircases), writes literal
//! colours (no dark theme) and twice the bytes; so this is ours.
//!
//! **Units:** plotters' whole units are tenths of a pixel here ([`UNITS_PER_PX`]).

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

use super::label::text_width;
use super::palette::{self, UnknownColor};

/// Plotters only knows whole units; it draws ten times as large.
pub(crate) const UNITS_PER_PX: i32 = 10;

/// Markup written so far, shared by the backend and by what draws around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet(Rc<RefCell<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    markup: String,
    /// Class of the rectangles whose path is still open.
    filling: Option<&'static str>,
}

impl Buffer {
    fn close(&mut self) {
        if self.filling.take().is_some() {
            self.markup.push_str("\"/>\n");
        }
    }
}

impl Sheet {
    /// Adds markup as it is.
    pub(crate) fn raw(&self, markup: &str) {
        let mut buffer = self.0.borrow_mut();
        buffer.close();
        buffer.markup.push_str(markup);
    }

    /// Everything written so far; the sheet is empty afterwards.
    pub(crate) fn take(&self) -> String {
        let mut buffer = self.0.borrow_mut();
        buffer.close();
        std::mem::take(&mut buffer.markup)
    }

    /// A filled rectangle, joined to the one before where the colour is the same.
    fn rectangle(&self, class: &'static str, path: &str) {
        let mut buffer = self.0.borrow_mut();
        if buffer.filling != Some(class) {
            buffer.close();
            buffer.markup.push_str("<path class=\"f-");
            buffer.markup.push_str(class);
            buffer.markup.push_str("\" d=\"");
            buffer.filling = Some(class);
        }
        buffer.markup.push_str(path);
    }
}

/// Text that cannot be taken for markup.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// A length in pixels, as short as possible: `12`, `12.3`.
pub(crate) fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    let short = text.strip_suffix(".0").unwrap_or(&text);
    if short == "-0" { "0" } else { short }.to_owned()
}

fn units(length: i32) -> String {
    px(f64::from(length) / f64::from(UNITS_PER_PX))
}

/// The path through `points`: absolute start, then relative steps.
fn path(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut data = String::new();
    let mut last: Option<BackendCoord> = None;
    for (x, y) in points {
        let step = match last {
            None => format!("M{} {}", units(x), units(y)),
            Some((from_x, from_y)) => match (x - from_x, y - from_y) {
                (0, 0) => continue,
                (dx, 0) => format!("h{}", units(dx)),
                (0, dy) => format!("v{}", units(dy)),
                (dx, dy) => format!("l{} {}", units(dx), units(dy)),
            },
        };
        data.push_str(&step);
        last = Some((x, y));
    }
    data
}

/// The backend.
pub(crate) struct Svg {
    sheet: Sheet,
    size: (u32, u32),
}

impl Svg {
    /// A backend of that many pixels that writes to `sheet`.
    pub(crate) fn new(sheet: &Sheet, width: u32, height: u32) -> Self {
        let scale = UNITS_PER_PX.unsigned_abs();
        Self {
            sheet: sheet.clone(),
            size: (width * scale, height * scale),
        }
    }
}

type Drawn = Result<(), DrawingErrorKind<UnknownColor>>;

fn class_of(style: &impl BackendStyle) -> Result<&'static str, DrawingErrorKind<UnknownColor>> {
    palette::class(style.color()).map_err(DrawingErrorKind::DrawingError)
}

fn stroke(style: &impl BackendStyle) -> Result<String, DrawingErrorKind<UnknownColor>> {
    let mut attributes = format!("class=\"k-{}\"", class_of(style)?);
    let width = style.stroke_width();
    if width != UNITS_PER_PX.unsigned_abs() {
        let width = px(f64::from(width) / f64::from(UNITS_PER_PX));
        if write!(attributes, " stroke-width=\"{width}\"").is_err() {
            return Ok(attributes);
        }
    }
    Ok(attributes)
}

impl DrawingBackend for Svg {
    type ErrorType = UnknownColor;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    /// Nothing here is made of pixels.
    fn draw_pixel(&mut self, _: BackendCoord, _: plotters_backend::BackendColor) -> Drawn {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if style.color().alpha <= 0.0 {
            return Ok(());
        }
        let (width, height) = (to.0 - from.0, to.1 - from.1);
        let data = format!(
            "M{} {}h{}v{}h{}z",
            units(from.0),
            units(from.1),
            units(width),
            units(height),
            units(-width)
        );
        if fill {
            self.sheet.rectangle(class_of(style)?, &data);
        } else {
            self.sheet
                .raw(&format!("<path {} d=\"{data}\"/>\n", stroke(style)?));
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let data = path(points);
            self.sheet
                .raw(&format!("<path {} d=\"{data}\"/>\n", stroke(style)?));
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let (class, data) = (class_of(style)?, path(points));
            self.sheet
                .raw(&format!("<path class=\"f-{class}\" d=\"{data}z\"/>\n"));
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let class = palette::class(style.color()).map_err(DrawingErrorKind::DrawingError)?;
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        let shift = match style.anchor().v_pos {
            VPos::Top => ".8em",
            VPos::Center => ".35em",
            VPos::Bottom => "-.25em",
        };
        let weight = match style.style() {
            FontStyle::Bold => " font-weight=\"600\"",
            FontStyle::Normal | FontStyle::Oblique | FontStyle::Italic => "",
        };
        let size = px(style.size() / f64::from(UNITS_PER_PX));
        self.sheet.raw(&format!(
            "<text class=\"f-{class}\" x=\"{}\" y=\"{}\" dy=\"{shift}\" font-size=\"{size}\"{anchor}{weight}>{}</text>\n",
            units(x),
            units(y),
            escape(text)
        ));
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<UnknownColor>> {
        let size = style.size().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a label is neither negative nor four billion units wide"
        )]
        let whole = |length: f64| length as u32;
        Ok((whole(text_width(text, size)), whole(size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_and_leaves_out_what_does_not_move() {
        let points = [(100, 205), (100, 205), (150, 205), (150, 100), (163, 90)];
        assert_eq!(path(points), "M10 20.5h5v-10.5l1.3 -1");
    }

    #[test]
    fn equal_neighbours_share_a_path() {
        let sheet = Sheet::default();
        sheet.rectangle("c1", "M0 0h1v1h-1z");
        sheet.rectangle("c1", "M2 0h1v1h-1z");
        sheet.rectangle("c2", "M4 0h1v1h-1z");
        let expected = "<path class=\"f-c1\" d=\"M0 0h1v1h-1zM2 0h1v1h-1z\"/>\n\
                        <path class=\"f-c2\" d=\"M4 0h1v1h-1z\"/>\n";
        assert_eq!(sheet.take(), expected);
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("a<b>&\"\u{1}"), "a&lt;b&gt;&amp;&quot;\u{fffd}");
    }
}
