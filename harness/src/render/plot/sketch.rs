//! This module makes a chart of its series: legend, readings under the cursor, and the picture in both widths.
//!
//! **In:** a [`Sketch`], and the frame for each width. **Out:** a [`Chart`].

use std::borrow::Cow;

use super::chart::{Chart, Key, Width, spoken};
use super::draw::Series;
use super::frame::Frame;
use crate::render::renderer::RenderError;

/// What a chart shows, whatever its width.
pub(super) struct Sketch {
    /// Unique on its page.
    pub id: Cow<'static, str>,
    /// May hold `code`.
    pub title: String,
    /// What a screen reader says before the finding.
    pub subject: &'static str,
    pub finding: String,
    /// In the order of the legend.
    pub series: Vec<Series>,
}

impl Sketch {
    /// # Errors
    ///
    /// [`RenderError::Chart`] with what plotters said.
    pub(super) fn draw(self, frame: impl Fn(Width) -> Frame) -> Result<Chart, RenderError> {
        let failed = |problem| RenderError::Chart {
            chart: self.id.to_string(),
            problem,
        };
        let said = format!("{}. {}", self.subject, spoken(&self.finding));
        let picture = |frame: &Frame| frame.draw(&self.id, &said, &self.series);
        let (wide, narrow) = (frame(Width::Wide), frame(Width::Narrow));
        let keys: Result<Vec<Key>, String> = self.series.iter().filter_map(Series::key).collect();
        let mut keys = keys.map_err(failed)?;
        keys.extend(wide.keys());
        Ok(Chart {
            id: self.id.clone(),
            keys,
            wide: picture(&wide).map_err(failed)?,
            narrow: picture(&narrow).map_err(failed)?,
            readings: self.series.iter().filter_map(Series::reading).collect(),
            title: self.title,
            finding: self.finding,
        })
    }
}
