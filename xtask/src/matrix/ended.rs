//! This module runs a program to its end, and reads what it left.
//!
//! **In:** a command, a path. **Out:** exit code and text; JSON.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;
use crate::step;

/// Runs a program to its end, quietly: exit code and what it printed.
pub(super) fn ended(mut command: Command) -> Result<(i32, String), Failure> {
    command
        .current_dir(step::root())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = command.output().map_err(|source| Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.code().unwrap_or(-1), text))
}

/// A file of JSON.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let text = fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| Failure::Result {
        path: path.to_owned(),
        what: error.to_string(),
    })
}
