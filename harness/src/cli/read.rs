//! This module reads scenario files from the disk.
//!
//! **In:** a path. **Out:** its text or its plan; a failure that names the file and what to do.

use std::io::ErrorKind;
use std::path::Path;

use super::failure::Failure;
use super::overrides::quoted;
use super::screen;
use crate::environment::user_heads;
use crate::exit::Exit;
use crate::intake::{self, IntakeError};
use crate::plan::{self, Plan};
use crate::scenario::protocol::{self, Laid};
use crate::scenario::{
    self, FILE_BYTES_MAX, Overrides, ProtocolFile, left_out, shipped, users_file,
};

/// The plan of the scenario at `path`.
pub(crate) fn plan(path: &Path, overrides: &Overrides) -> Result<Plan, Failure> {
    let text = text(path)?;
    if shipped(path).is_some() {
        let name = path.display();
        screen::say(&format!(
            "note: {name}: the scenario that ships; `harness init {name}` writes a copy to edit"
        ));
    }
    let overrides = &with_files(path, &text, overrides)?;
    let plan = plan::compile(&path.to_string_lossy(), &text, overrides)?;
    for note in scenario::notes(&path.to_string_lossy(), &text, overrides) {
        screen::say(&format!("note: {note}"));
    }
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

/// What of the `[target]` of the scenario at `path` came of the protocol that it names; `None`: it names none.
pub(crate) fn laid(path: &Path, overrides: &Overrides) -> Result<Option<Laid>, Failure> {
    let text = text(path)?;
    let overrides = with_files(path, &text, overrides)?;
    Ok(protocol::laid(&text, &overrides))
}

/// What is changed of the scenario at `path`, with what stands in files that it names: its protocol, whose path begins in the
/// scenario's folder, and the heads of its accounts. Of accounts that cannot be read whoever needs them tells.
pub(crate) fn with_files(
    path: &Path,
    text: &str,
    overrides: &Overrides,
) -> Result<Overrides, Failure> {
    let mut overrides = overrides.clone();
    if let Some(named) = protocol::file(text, &overrides) {
        let file = path.parent().unwrap_or(Path::new("")).join(named);
        let text = self::text(&file).map_err(|failure| failure.hint(PROTOCOL))?;
        let path = file.to_string_lossy().into_owned();
        overrides.protocol = Some(ProtocolFile { path, text });
    }
    overrides.users = users_file(text, &overrides).and_then(|file| user_heads(&file));
    Ok(overrides)
}

const PROTOCOL: &str = "target.protocol names it, seen from the scenario's folder; a name without `/` and .toml is of a protocol that ships";

/// The scenario that ships, where a path is its name and there is no such file.
fn shipped(path: &Path) -> Option<&'static str> {
    let text = shipped::text(path.to_str()?)?;
    (!path.exists()).then_some(text)
}

/// The text of the scenario at `path`, or of the one that ships under that name.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    if let Some(text) = shipped(path) {
        return Ok(text.to_owned());
    }
    let shown = path.display();
    let limit_bytes = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    intake::text(path, limit_bytes).map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("{shown}: cannot be read: {error}"));
        match error {
            IntakeError::Io(error) if error.kind() == ErrorKind::NotFound => {
                failure.hint("`harness list` shows the scenarios there are")
            }
            IntakeError::Io(_) => failure,
            IntakeError::Folder => failure.hint(format!(
                "name a file; `harness list {}` shows which there are",
                quoted(path)
            )),
            IntakeError::Irregular => failure.hint("write the scenario into a file, and name that"),
            IntakeError::TooLong { .. } => {
                failure.hint("a scenario is a short TOML file: is this the one you meant?")
            }
            IntakeError::NotUtf8 { .. } | IntakeError::NotUtf16(_) | IntakeError::HalfUtf16 => {
                failure.hint("a scenario is a TOML file in UTF-8")
            }
        }
    })
}
