//! This module writes `gate.json`, whose schema stands beside that of `result.json`.

use crate::gate::comparison::Decision;
use crate::render::renderer::RenderError;

pub(super) fn bytes(decision: &Decision) -> Result<Vec<u8>, RenderError> {
    let mut bytes = serde_json::to_vec_pretty(decision).map_err(RenderError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}
