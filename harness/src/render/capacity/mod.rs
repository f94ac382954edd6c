//! This module turns the answer of a search for capacity into what people and machines read.
//!
//! **In:** one [`Answer`]. **Out:** text for a terminal, and the files of a folder. Nothing is computed here.

mod cells;
mod html;
mod markdown;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
mod uses;

use super::renderer::RenderError;
use crate::capacity::account::Answer;
use crate::render::plot::{Chart, ladder, standalone};

/// The account itself: it is also what a search goes on with.
pub(crate) const JSON: &str = "capacity.json";
/// The page.
pub(crate) const HTML: &str = "capacity.html";
/// For a pull request or a ticket.
const MARKDOWN: &str = "capacity.md";

/// The files of an answer, the account first: their names and bytes. Each chart of the page is a file too.
///
/// # Errors
///
/// [`RenderError`] where the harness is wrong.
pub(crate) fn files(answer: &Answer) -> Result<Vec<(String, Vec<u8>)>, RenderError> {
    let charts = [
        ladder::latency(answer)?,
        ladder::throughput(answer)?,
        ladder::scaling(answer)?,
    ];
    let charts: Vec<Chart> = charts.into_iter().flatten().collect();
    let mut files = vec![
        (JSON.to_owned(), json(answer)?),
        (HTML.to_owned(), html::bytes(answer, &charts)?),
        (MARKDOWN.to_owned(), markdown::text(answer).into_bytes()),
    ];
    files.extend(charts.iter().map(|chart| {
        let drawn = standalone::document(chart, &answer.asked.title);
        (format!("{}.svg", chart.id), drawn.into_bytes())
    }));
    Ok(files)
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
