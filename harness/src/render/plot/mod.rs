//! This module draws the charts, for the page and as files of their own.
//!
//! **In:** the series, windows and distributions of a result. **Out:** SVG, drawn by plotters
//! through a backend of our own, in two widths for the page. Nothing is computed but coordinates.
//!
//! **Units:** seconds and log10 of microseconds on the axes; pixels elsewhere.

pub(crate) mod acceptance;
mod arrivals;
mod axis;
pub(crate) mod band;
pub(crate) mod change;
mod chart;
mod closes;
mod distribution;
mod draw;
mod errors;
mod event;
mod frame;
mod heat;
mod in_flight;
mod label;
pub(crate) mod ladder;
mod lateness;
mod limit;
mod load_latency;
mod open;
mod over_time;
mod palette;
mod per_second;
pub(crate) mod reconnects;
mod response;
mod sketch;
pub(crate) mod stages;
pub(crate) mod standalone;
pub(crate) mod svg;
mod throughput;
pub(crate) mod trend;
mod usage;

pub(crate) use self::chart::{Chart, Key, Reading, ReadingUnit};
pub(crate) use self::event::{EXAMPLES_MAX, anchor};
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

/// What a run looked like over time, in the order of a reader's questions: how long, how much, what failed, who was there, and
/// what it cost. What there is nothing of has no chart.
///
/// # Errors
///
/// [`RenderError::Chart`] when plotters refuses, which a saved result cannot cause.
pub(crate) fn over_time(result: &RunResult) -> Result<Vec<Chart>, RenderError> {
    let all = [
        Some(response::chart(result)?),
        heat::chart(result)?,
        Some(throughput::chart(result)?),
        errors::chart(result)?,
        in_flight::chart(result)?,
        Some(open::chart(result)?),
        Some(arrivals::chart(result)?),
        Some(closes::chart(result)?),
        usage::processors(result)?,
        usage::memory(result)?,
        load_latency::chart(result)?,
    ];
    Ok(all.into_iter().flatten().collect())
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
