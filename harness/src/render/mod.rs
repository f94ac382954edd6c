//! This module turns a run result into what people and machines read.
//!
//! **In:** one [`crate::result::RunResult`]. **Out:** bytes, per [`Renderer`]. Nothing is computed here: a renderer
//! chooses, orders and formats what stands in the result.
//!
//! Deliberately absent: reading and writing of files (`result::store`, `cli`), and any clock.

pub(crate) mod audit;
pub(crate) mod capacity;
pub(crate) mod column;
pub(crate) mod doctor;
pub(crate) mod events;
mod failure;
pub(crate) mod file;
pub(crate) mod gate;
pub(crate) mod hlog;
pub(crate) mod html;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod plot;
pub(crate) mod prometheus;
mod renderer;
#[cfg(test)]
mod sample;
pub(crate) mod series;
#[cfg(test)]
mod tamper;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
pub(crate) mod trend;
pub(crate) mod view;
pub(crate) mod words;

pub(crate) use self::renderer::{RenderError, Renderer};

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
