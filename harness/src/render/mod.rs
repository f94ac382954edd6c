//! This module turns a run result into what people and machines read.
//!
//! **In:** one [`RunResult`]. **Out:** bytes, per [`Renderer`]. Nothing is computed here: a renderer
//! chooses, orders and formats what stands in the result.
//!
//! Deliberately absent: reading and writing of files (`result::store`, `cli`), and any clock.

pub(crate) mod column;
pub(crate) mod doctor;
pub(crate) mod events;
mod failure;
pub(crate) mod hlog;
pub(crate) mod html;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod plot;
pub(crate) mod prometheus;
#[cfg(test)]
mod sample;
pub(crate) mod series;
#[cfg(test)]
mod tamper;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
pub(crate) mod view;
pub(crate) mod words;

use thiserror::Error;

use crate::format::{self, append};
use crate::result::RunResult;

/// Why a report could not be drawn. All of these are faults of the harness, not of the run.
#[derive(Debug, Error)]
pub(crate) enum RenderError {
    #[error("the result could not be written as JSON")]
    Json(#[source] serde_json::Error),
    #[error("the series could not be written as CSV")]
    Csv(#[source] csv::Error),
    #[error("the metrics could not be written")]
    Metrics(#[source] ::prometheus::Error),
    #[error("{file} could not be written")]
    Write {
        file: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the chart {chart} could not be drawn: {problem}")]
    Chart {
        chart: &'static str,
        problem: String,
    },
    #[error("the latency log could not be written: {0}")]
    Histogram(String),
}

/// One file of a run directory, drawn from the result.
pub(crate) trait Renderer {
    /// The name of the file in the run directory.
    fn file(&self) -> &'static str;

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// [`RenderError`] names the file or chart; a result that was read back is no reason for one.
    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError>;
}

/// What `harness report --format` offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// report.html
    Html,
    /// response-time.svg, open-sessions.svg, closes.svg, distribution.svg, lateness.svg
    Svg,
    /// summary.md
    Md,
    /// junit.xml
    Junit,
    /// series.csv
    Csv,
    /// metrics.prom
    Prom,
    /// events.jsonl
    Events,
    /// journal.json, as the Chaos Toolkit writes it
    Journal,
    /// result.json
    Json,
}

impl Format {
    /// Everything that is drawn beside `result.json` at the end of a run.
    pub(crate) const DRAWN: [Self; 8] = [
        Self::Html,
        Self::Svg,
        Self::Md,
        Self::Junit,
        Self::Csv,
        Self::Prom,
        Self::Events,
        Self::Journal,
    ];

    /// The renderers behind the format.
    pub(crate) const fn renderers(self) -> &'static [&'static dyn Renderer] {
        match self {
            Self::Html => &[&html::Html],
            Self::Svg => &[
                &plot::Picture::ResponseTime,
                &plot::Picture::OpenSessions,
                &plot::Picture::Closes,
                &plot::Picture::Distribution,
                &plot::Picture::Lateness,
            ],
            Self::Md => &[&markdown::Summary],
            Self::Junit => &[&junit::Junit],
            Self::Csv => &[&series::Series],
            Self::Prom => &[&prometheus::Metrics],
            Self::Events => &[&events::Events],
            Self::Journal => &[&journal::Journal],
            Self::Json => &[&json::Json],
        }
    }
}
