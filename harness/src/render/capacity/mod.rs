//! This module turns the answer of a search for capacity into what people and machines read.
//!
//! **In:** one [`Answer`]. **Out:** text for a terminal, and the files of a folder. Nothing is computed here.

mod cells;
mod html;
mod markdown;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;

use super::renderer::RenderError;
use crate::capacity::account::Answer;

/// The account itself: it is also what a search goes on with.
pub(crate) const JSON: &str = "capacity.json";
/// The page.
pub(crate) const HTML: &str = "capacity.html";
/// For a pull request or a ticket.
const MARKDOWN: &str = "capacity.md";

/// The files of an answer: their names, and their bytes or why there are none.
pub(crate) fn files(answer: &Answer) -> [(&'static str, Result<Vec<u8>, RenderError>); 3] {
    [
        (JSON, json(answer)),
        (HTML, html::bytes(answer)),
        (MARKDOWN, Ok(markdown::text(answer).into_bytes())),
    ]
}

/// `capacity.json`.
///
/// # Errors
///
/// [`RenderError::Json`] where the harness is wrong.
pub(crate) fn json(answer: &Answer) -> Result<Vec<u8>, RenderError> {
    let mut bytes = serde_json::to_vec_pretty(answer).map_err(RenderError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}
