//! This module draws the charts, for the page and as files of their own.
//!
//! **In:** the series, windows and distributions of a result. **Out:** SVG, drawn by plotters
//! through a backend of our own, in two widths for the page. Nothing is computed but coordinates.
//!
//! **Units:** seconds and log10 of microseconds on the axes; pixels elsewhere.

pub(crate) mod acceptance;
mod axis;
pub(crate) mod band;
pub(crate) mod change;
mod chart;
mod closes;
mod distribution;
mod draw;
mod frame;
mod label;
pub(crate) mod ladder;
mod lateness;
mod limit;
mod open;
mod over_time;
mod palette;
pub(crate) mod reconnects;
mod response;
mod sketch;
pub(crate) mod stages;
pub(crate) mod standalone;
pub(crate) mod svg;
pub(crate) mod trend;

pub(crate) use self::chart::{Chart, Key, Reading, ReadingUnit};
use super::file;
use super::renderer::{RenderError, Renderer};
use crate::result::RunResult;

/// A chart that is also a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    ResponseTime,
    OpenSessions,
    Closes,
    Distribution,
    Lateness,
}

impl Picture {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`RenderError::Chart`] when plotters refuses, which a saved result cannot cause.
    pub(crate) fn chart(self, result: &RunResult) -> Result<Chart, RenderError> {
        match self {
            Self::ResponseTime => response::chart(result),
            Self::OpenSessions => open::chart(result),
            Self::Closes => closes::chart(result),
            Self::Distribution => distribution::chart(result),
            Self::Lateness => lateness::chart(result),
        }
    }
}

impl Renderer for Picture {
    fn file(&self) -> &'static str {
        match self {
            Self::ResponseTime => file::RESPONSE_TIME,
            Self::OpenSessions => file::OPEN_SESSIONS,
            Self::Closes => file::CLOSES,
            Self::Distribution => file::DISTRIBUTION,
            Self::Lateness => file::LATENESS,
        }
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let chart = self.chart(result)?;
        Ok(standalone::document(&chart, &result.run.title).into_bytes())
    }
}
