//! This module names the colours of the charts, so that a style sheet decides what they are.
//!
//! **In:** a colour given to plotters. **Out:** the name of a CSS class. Plotters knows only RGB, so
//! each name has an RGB value that no picture would use; a colour that is not of this palette is an
//! error, never a wrong picture.

use plotters::style::RGBColor;
use plotters_backend::BackendColor;
use thiserror::Error;

/// A colour that has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("colour {0:?} is not in the palette")]
pub(crate) struct UnknownColor(pub (u8, u8, u8));

macro_rules! palette {
    ($($name:ident = $code:literal, $class:literal;)*) => {
        $(pub(crate) const $name: RGBColor = RGBColor(1, 2, $code);)*

        /// The class of a colour, without the `k-` (stroke) or `f-` (fill) before it.
        pub(crate) const fn class(color: BackendColor) -> Result<&'static str, UnknownColor> {
            match color.rgb {
                $((1, 2, $code) => Ok($class),)*
                other => Err(UnknownColor(other)),
            }
        }
    };
}

palette! {
    GRID = 0, "grid";
    TEXT = 1, "text";
    INK = 2, "ink";
    SERIES_1 = 3, "c1";
    SERIES_2 = 4, "c2";
    SERIES_3 = 5, "c3";
    SERIES_4 = 6, "c4";
    BASE = 7, "base";
    MOST = 8, "most";
    LIMIT = 9, "limit";
    SOFT_1 = 10, "soft1";
    SHADE_1 = 11, "shade1";
    SHADE_2 = 12, "shade2";
    SHADE_3 = 13, "shade3";
    SHADE_4 = 14, "shade4";
    SHADE_5 = 15, "shade5";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_outside_the_palette_is_an_error() {
        let of = |rgb| BackendColor { alpha: 1.0, rgb };
        assert_eq!(class(of((1, 2, 3))), Ok("c1"));
        assert_eq!(class(of((255, 0, 0))), Err(UnknownColor((255, 0, 0))));
    }
}
