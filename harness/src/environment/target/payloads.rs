//! This module reads what the clients of a run write, where a file says so.

use super::TargetError;
use super::user_file::{read, wrong};
use crate::plan::Plan;

/// Longest text of a message, in characters (wire contract, "Frames, client to server").
const TEXT_CHARS_MAX: usize = 10_000;

/// What clients write, one text a line; empty without a file.
///
/// # Errors
///
/// The file cannot be read, holds nothing, or a line is too long.
pub(crate) fn payloads(plan: &Plan) -> Result<Vec<String>, TargetError> {
    let Some(path) = &plan.load.payloads else {
        return Ok(Vec::new());
    };
    let text = read(path)?;
    let mut payloads = Vec::new();
    for (line, payload) in (1..).zip(text.lines()) {
        if payload.trim().is_empty() {
            continue;
        }
        if payload.chars().count() > TEXT_CHARS_MAX {
            let fact = format!("a text of more than {TEXT_CHARS_MAX} characters");
            return Err(wrong(path, line, fact));
        }
        payloads.push(payload.to_owned());
    }
    if payloads.is_empty() {
        return Err(wrong(path, 0, "no text in it".to_owned()));
    }
    Ok(payloads)
}
