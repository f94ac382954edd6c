//! This module draws the charts, for the page and as files of their own.
//!
//! **In:** the series, windows and distributions of a result. **Out:** SVG, drawn by plotters
//! through a backend of our own, in two widths for the page. Nothing is computed but coordinates.
//!
//! **Units:** seconds and log10 of microseconds on the axes; pixels elsewhere.

mod acceptance;
mod axis;
mod closes;
mod distribution;
mod draw;
mod frame;
mod label;
mod lateness;
mod limit;
mod open;
mod palette;
mod reconnects;
mod response;
mod stages;
mod standalone;
pub(crate) mod svg;

use super::{RenderError, Renderer};
use crate::result::RunResult;

/// A chart in both widths, with what the page says around it.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub id: &'static str,
    /// May hold `code`.
    pub title: String,
    /// The finding, with its numbers.
    pub finding: String,
    pub keys: Vec<Key>,
    /// Values under the cursor.
    pub readings: Vec<Reading>,
    pub wide: String,
    pub narrow: String,
}

/// One entry of a legend.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub text: String,
    /// Class of the sample: `k-c1` is a line, `f-fault` an area.
    pub class: &'static str,
    /// The series it hides; `None` for what cannot be hidden.
    pub series: Option<&'static str>,
}

/// A series as the cursor reads it: value *i* covers `from + i*step` up to the next.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub name: String,
    /// The series of the legend that shows it.
    pub series: &'static str,
    pub unit: ReadingUnit,
    pub from: f64,
    pub step: f64,
    pub values: Vec<Option<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadingUnit {
    Microseconds,
    Count,
}

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

/// Where the time goes: a picture of the page only, made of several.
pub(crate) fn stages(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    stages::chart(result)
}

/// Acceptance of tokens over their age: of the page only, where that was tried.
pub(crate) fn acceptance(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    acceptance::chart(result)
}

/// How clients came back: of the page only, where some had to.
pub(crate) fn reconnects(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    reconnects::chart(result)
}

impl Renderer for Picture {
    fn file(&self) -> &'static str {
        match self {
            Self::ResponseTime => "response-time.svg",
            Self::OpenSessions => "open-sessions.svg",
            Self::Closes => "closes.svg",
            Self::Distribution => "distribution.svg",
            Self::Lateness => "lateness.svg",
        }
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let chart = self.chart(result)?;
        Ok(standalone::document(&chart, &result.run).into_bytes())
    }
}

/// One of the two widths in which every chart is drawn, so that text stays readable on a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Wide,
    Narrow,
}

impl Width {
    const fn pick<T: Copy>(self, wide: T, narrow: T) -> T {
        match self {
            Self::Wide => wide,
            Self::Narrow => narrow,
        }
    }
}

/// The finding as the description of the picture: without the marks of code.
fn spoken(finding: &str) -> String {
    finding.replace('`', "")
}
