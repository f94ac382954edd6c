//! This module reads a file that a plan names for its users.

use std::path::Path;

use super::TargetError;
use crate::format;
use crate::intake;

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// # Errors
///
/// It cannot be read.
pub(crate) fn read(path: &str) -> Result<String, TargetError> {
    let text = intake::text(Path::new(path), FILE_BYTES_MAX);
    text.map_err(|error| wrong(path, 0, error.to_string()))
}

/// What is wrong with it; `line` is 0 where no line is meant.
pub(crate) fn wrong(path: &str, line: u64, fact: String) -> TargetError {
    let place = match line {
        0 => path.to_owned(),
        line => format!("{path}:{line}"),
    };
    TargetError::UserFile {
        place,
        fact: format::harmless(&fact),
    }
}
