//! This module says what a renderer is: it makes one file of a run directory out of the result.

use thiserror::Error;

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
    Chart { chart: String, problem: String },
    #[error("the latency log could not be written: {0}")]
    Histogram(String),
}

/// One file of a run directory, drawn from the result.
pub(crate) trait Renderer {
    /// The name of the file in the run directory, from [`super::file`].
    fn file(&self) -> &'static str;

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// [`RenderError`] names the file or chart; a result that was read back is no reason for one.
    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError>;
}
