//! This module writes `result.json`, the contract of everything downstream.
//!
//! **In:** the result. **Out:** JSON, indented, as `reports/result.schema.json` describes it.

use super::renderer::{RenderError, Renderer};
use crate::result::RunResult;
use crate::result::store::RESULT_FILE;

/// `result.json`.
pub(crate) struct Json;

impl Renderer for Json {
    fn file(&self) -> &'static str {
        RESULT_FILE
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        let mut bytes = serde_json::to_vec_pretty(result).map_err(RenderError::Json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
