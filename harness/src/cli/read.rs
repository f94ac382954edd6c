//! This module reads scenario files from the disk.
//!
//! **In:** a path. **Out:** its text or its plan; a failure that names the file and what to do.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::failure::{Exit, Failure};
use super::overrides::quoted;
use super::screen;
use crate::plan::{self, Plan};
use crate::scenario::{FILE_BYTES_MAX, Overrides, left_out};

/// The plan of the scenario at `path`.
pub(crate) fn plan(path: &Path, overrides: &Overrides) -> Result<Plan, Failure> {
    let text = text(path)?;
    let plan = plan::compile(&path.to_string_lossy(), &text, overrides)?;
    let left_out = left_out(&text, overrides);
    if !left_out.is_empty() {
        screen::say(&format!(
            "note: --target: no server is started, so this of {} is left out: {}",
            path.display(),
            left_out.join(", ")
        ));
    }
    Ok(plan)
}

/// At most `limit` bytes of a regular file; opening a pipe would wait for whoever writes into it.
pub(super) fn regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of the scenario at `path`; no more of it than a scenario may have, and one byte.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let fail = |error: &io::Error| {
        let failure = Failure::new(
            Exit::Usage,
            format!("{shown}: cannot be read: {}", reason(error)),
        );
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint("`harness list` shows the scenarios there are"),
            io::ErrorKind::IsADirectory => failure.hint(format!(
                "name a file; `harness list {}` shows which there are",
                quoted(path)
            )),
            io::ErrorKind::InvalidData => failure.hint("a scenario is a TOML file in UTF-8"),
            io::ErrorKind::InvalidInput => {
                failure.hint("write the scenario into a file, and name that")
            }
            _ => failure,
        }
    };
    let limit = u64::try_from(FILE_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let bytes = regular(path, limit).map_err(|error| fail(&error))?;
    if bytes.len() > FILE_BYTES_MAX {
        let fact = format!("{shown}: more than {FILE_BYTES_MAX} bytes");
        return Err(Failure::new(Exit::Usage, fact)
            .hint("a scenario is a short TOML file: is this the one you meant?"));
    }
    String::from_utf8(bytes)
        .map_err(|error| fail(&io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// The reason without the operating system's error number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
