//! This module keeps results on the disk.
//!
//! **In:** bytes and a run directory. **Out:** files that are whole or absent; a [`RunResult`] read
//! back, or a clear reason why not.
//!
//! A file is written beside its place, flushed to the disk and renamed, so that a reader, or a run
//! that is killed, never meets half a result.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::plausible::Plausible;
use super::{RunResult, SCHEMA};
use crate::intake::{self, IntakeError};

/// Largest `result.json` that is read: a day-long run has a few megabytes.
const RESULT_BYTES_MAX: u64 = 256 << 20;
/// How the format of every version begins.
const FAMILY: &str = "harness.run/";
/// The file that holds the result.
pub(crate) const RESULT_FILE: &str = "result.json";

/// Why a result could not be read or written (exit 5).
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: IntakeError,
    },
    /// Not JSON, or JSON of something else.
    #[error("{}:{line}:{column}: is not a run result: {problem}", path.display())]
    NotAResult {
        path: PathBuf,
        line: usize,
        column: usize,
        problem: String,
    },
    #[error("{}: has the format \"{found}\", and this harness reads \"{SCHEMA}\"", path.display())]
    OtherFormat { path: PathBuf, found: String },
}

impl StoreError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Write { source, .. } if is_full(source) => "make room there",
            Self::Write { .. } => "name a folder that can be written to, with --out",
            Self::Read {
                source: IntakeError::Io(source),
                ..
            } if source.kind() == io::ErrorKind::NotFound => {
                "name the folder of a run: the one that holds result.json"
            }
            Self::Read {
                source: IntakeError::Io(source),
                ..
            } if source.kind() == io::ErrorKind::PermissionDenied => {
                "look at the permissions of the file and its folder"
            }
            Self::NotAResult { .. }
            | Self::Read {
                source: IntakeError::TooLong { .. },
                ..
            } => "result.json is written by `harness run`; this one is damaged or something else",
            Self::Read { .. } => "name the folder of a run, or its result.json",
            Self::OtherFormat { .. } => {
                "draw it with the version of the harness that wrote it (run.harness_version)"
            }
        }
    }
}

/// No room, as the disk, a quota or a limit of the process has it.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// An existing folder.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// A folder that exists, made if need be.
    #[cfg(test)]
    pub(crate) fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = Self::at(path);
        fs::create_dir_all(&folder.path).map_err(|source| StoreError::Write {
            path: folder.path.clone(),
            source,
        })?;
        Ok(folder)
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, whole or not at all.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.file(name);
        self.replace(&path, name, bytes)
            .map_err(|source| StoreError::Write { path, source })
    }

    fn replace(&self, path: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
        // A name nobody knows before: what a killed run left is not in its way, and no link is followed. Readable as any new file.
        let mut file = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".tmp")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(&self.path)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.path)?.sync_all()
    }

    /// Reads the result back.
    pub(crate) fn read(&self) -> Result<RunResult, StoreError> {
        read(&self.file(RESULT_FILE))
    }

    /// Which run left its result here; `None`: none of ours.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let bytes = bytes(&self.file(RESULT_FILE)).ok()?;
        let whose: Whose = serde_json::from_slice(&bytes).ok()?;
        whose.schema.starts_with(FAMILY).then_some(whose.run)
    }
}

/// Just enough to tell the format.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// Just enough to tell which run it is, whatever the version of the format.
#[derive(Deserialize)]
struct Whose {
    schema: String,
    run: Identity,
}

/// A run's name and the moment of its start, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub id: String,
    pub started_at: String,
}

fn bytes(path: &Path) -> Result<Vec<u8>, StoreError> {
    intake::bytes(path, RESULT_BYTES_MAX).map_err(|source| StoreError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads a result, wherever it lies.
pub(crate) fn read(path: &Path) -> Result<RunResult, StoreError> {
    let bytes = bytes(path)?;
    let other = |error: serde_json::Error| StoreError::NotAResult {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        problem: message(&error),
    };
    let head: Head = serde_json::from_slice(&bytes).map_err(other)?;
    if head.schema != SCHEMA {
        return Err(StoreError::OtherFormat {
            path: path.to_owned(),
            found: head.schema,
        });
    }
    serde_json::from_slice::<Plausible>(&bytes).map_err(other)?;
    serde_json::from_slice(&bytes).map_err(other)
}

/// What serde says, without the place, which stands before it.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The JSON Schema of `result.json`, as it stands in `reports/result.schema.json`.
#[cfg(test)]
pub(crate) fn schema_text() -> String {
    let schema = schemars::schema_for!(RunResult);
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, RunDir) {
        let temp = tempfile::tempdir().unwrap();
        let folder = RunDir::create(temp.path().join("runs/one")).unwrap();
        (temp, folder)
    }

    #[track_caller]
    fn check(content: &str, expected: &str) {
        let (_temp, folder) = folder();
        folder.write(RESULT_FILE, content.as_bytes()).unwrap();
        let error = folder.read().unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with(expected), "{text}");
        assert!(!error.hint().is_empty());
    }

    #[test]
    fn a_file_that_is_no_result_says_where_it_goes_wrong() {
        check(
            "{\n \"schema\" 1}",
            "result.json:2:11: is not a run result: expected `:`",
        );
        check("{}", "is not a run result: missing field `schema`");
        check(
            r#"{"schema": "harness.run/1"}"#,
            "is not a run result: missing field `run`",
        );
    }

    #[test]
    fn a_result_of_another_version_is_refused_by_name() {
        check(
            r#"{"schema": "harness.run/9"}"#,
            "has the format \"harness.run/9\", and this harness reads \"harness.run/1\"",
        );
    }

    #[test]
    fn a_missing_result_is_told_from_an_unreadable_one() {
        let (_temp, folder) = folder();
        let error = folder.read().unwrap_err();
        assert!(error.hint().contains("name the folder of a run"), "{error}");
    }

    #[test]
    fn a_write_leaves_one_whole_file_and_nothing_else() {
        let (_temp, folder) = folder();
        folder.write("a.txt", b"first").unwrap();
        folder.write("a.txt", b"second").unwrap();
        assert_eq!(fs::read(folder.file("a.txt")).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_never_written_through_a_link() {
        let (temp, folder) = folder();
        let elsewhere = temp.path().join("elsewhere");
        fs::write(&elsewhere, "precious").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.file("a.txt")).unwrap();
        folder.write("a.txt", b"mine").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
        assert_eq!(fs::read(folder.file("a.txt")).unwrap(), b"mine");
    }

    /// Written anew with `HARNESS_BLESS=1 cargo test -p harness`.
    #[test]
    fn the_schema_beside_the_reports_is_that_of_the_result() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/result.schema.json");
        if std::env::var_os("HARNESS_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, schema_text()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), schema_text());
    }
}
