//! This module decides for a plan whose certificates its target may show.

use std::path::PathBuf;

use super::TargetError;
use crate::intake::{self, IntakeError};
use crate::plan::TlsPlan;
use crate::trust::Trust;

const NO_TEXT: &str = "it is no PEM, which is text: `openssl x509 -inform der` makes one of DER";
/// A file with every authority of a system is smaller.
const AUTHORITY_BYTES_MAX: u64 = 4 << 20;

/// Whom the plan believes.
pub(crate) fn trust(plan: &TlsPlan) -> Result<Trust, TargetError> {
    if plan.insecure {
        return Trust::blind().map_err(TargetError::NoTls);
    }
    let Some(path) = &plan.ca else {
        return Trust::system(None).map_err(TargetError::NoTls);
    };
    let path = PathBuf::from(path);
    let problem = |reason: String| TargetError::Authority {
        path: path.clone(),
        reason,
    };
    let text = intake::text(&path, AUTHORITY_BYTES_MAX).map_err(|error| {
        problem(match error {
            IntakeError::NotUtf8 { .. } => NO_TEXT.to_owned(),
            other => other.to_string(),
        })
    })?;
    Trust::system(Some(text.as_bytes())).map_err(|error| problem(error.to_string()))
}
