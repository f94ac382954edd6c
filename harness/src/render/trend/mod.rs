//! This module turns a history into what people and other tools read.
//!
//! **In:** one [`Trend`]. **Out:** text for a terminal, and the files of a folder. Nothing is computed here.

mod cells;
mod html;
mod otava;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;

use super::renderer::RenderError;
use crate::gate::trend::Trend;

/// The account itself; it marks a folder as one of ours.
pub(crate) const JSON: &str = "trend.json";
/// The page.
pub(crate) const HTML: &str = "trend.html";

/// The files of a trend, the account first: their names, and their bytes or why there are none.
pub(crate) fn files(trend: &Trend) -> Vec<(String, Result<Vec<u8>, RenderError>)> {
    let mut files = vec![
        (JSON.to_owned(), json(trend)),
        (HTML.to_owned(), html::bytes(trend)),
    ];
    files.extend(otava::files(trend));
    files
}

fn json(trend: &Trend) -> Result<Vec<u8>, RenderError> {
    let mut bytes = serde_json::to_vec_pretty(trend).map_err(RenderError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}
