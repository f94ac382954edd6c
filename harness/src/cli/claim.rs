//! This module decides whether a folder may become that of a run, and makes it so.
//!
//! **In:** the folder that `--out` names, and `--overwrite`. **Out:** a folder that belongs to this run. Looking
//! changes nothing; taking comes after everything that can still stop the run. An earlier run is only removed when
//! that is asked for, and of a folder nothing is removed but what a run writes; a folder that holds something else is
//! left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::{Exit, Failure};
use super::{read, save};
use crate::result::store::{Identity, RunDir};

/// Says whose folder it is from the first moment of a run to its result.
const MARKER: &str = ".harness-run";
/// A marker is far smaller.
const MARKER_BYTES_MAX: u64 = 4_096;
/// Entries that are looked at to tell whether a folder is empty.
const ENTRIES_MAX: usize = 1_000;

/// What the marker holds.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    run: Identity,
    /// It ended before it sent anything.
    #[serde(default)]
    unbegun: bool,
}

/// A folder that may be taken.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    /// An earlier run lies there and is to go.
    earlier: bool,
}

/// What a folder holds.
#[derive(Debug)]
enum Content {
    Nothing,
    /// A run, and whether it came to a result.
    Run(Identity, bool),
    /// What a run left that could not begin: its logs.
    Unbegun,
    /// Something that no run of ours wrote: the name of an entry.
    Foreign(String),
}

/// Looks at the folder; it need not exist.
pub(super) fn look(path: &Path, overwrite: bool) -> Result<Claim, Failure> {
    let shown = path.display();
    let content = content(path).map_err(|error| {
        let fact = format!("--out {shown}: cannot be read: {}", read::reason(&error));
        Failure::new(Exit::Storage, fact).hint("name a folder that can be read and written")
    })?;
    let claim = |earlier| Claim {
        path: path.to_owned(),
        earlier,
    };
    match content {
        Content::Nothing => Ok(claim(false)),
        Content::Unbegun => Ok(claim(true)),
        Content::Run(..) if overwrite => Ok(claim(true)),
        Content::Run(run, finished) => {
            let left = if finished {
                ""
            } else {
                ", which left no result"
            };
            let at = moment(&run.started_at);
            let fact = format!("--out {shown}: already holds run {} of {at}{left}", run.id);
            Err(Failure::new(Exit::Usage, fact)
                .hint("name another folder, or replace that run: --overwrite"))
        }
        Content::Foreign(name) => {
            let fact =
                format!("--out {shown}: is not empty (`{name}`), and is not the folder of a run");
            Err(Failure::new(Exit::Usage, fact)
                .hint("name a folder that is new or empty: nothing of yours is written over"))
        }
    }
}

impl Claim {
    /// Takes the folder for a run; an earlier one is gone afterwards.
    pub(super) fn take(&self, run: Identity) -> Result<RunDir, Failure> {
        let folder = RunDir::create(&self.path)?;
        if self.earlier {
            save::forget(&folder)?;
        }
        let unbegun = false;
        mark(&folder, &Marker { run, unbegun })?;
        Ok(folder)
    }
}

fn mark(folder: &RunDir, marker: &Marker) -> Result<(), Failure> {
    let text =
        serde_json::to_vec(marker).map_err(|error| Failure::new(Exit::Bug, error.to_string()))?;
    Ok(folder.write(MARKER, &text)?)
}

/// The run could not begin: the next one may have the folder without being told so.
pub(super) fn unbegun(folder: &RunDir) {
    if let Some(marker) = marker(folder) {
        let marker = Marker {
            unbegun: true,
            ..marker
        };
        // Where it cannot be said, the next run asks.
        drop(mark(folder, &marker));
    }
}

/// The result says from now on whose folder it is.
pub(super) fn done(folder: &RunDir) {
    // Left behind it does no harm.
    drop(fs::remove_file(folder.file(MARKER)));
}

fn content(path: &Path) -> io::Result<Content> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Nothing),
        Err(error) => return Err(error),
    };
    let folder = RunDir::at(path);
    if let Some(run) = folder.identity() {
        return Ok(Content::Run(run, true));
    }
    if let Some(marker) = marker(&folder) {
        return Ok(if marker.unbegun {
            Content::Unbegun
        } else {
            Content::Run(marker.run, false)
        });
    }
    for entry in entries.take(ENTRIES_MAX) {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // `.gitkeep`, `lost+found`: they keep a folder, or belong to its disk.
        if !name.starts_with('.') && name != "lost+found" {
            return Ok(Content::Foreign(name));
        }
    }
    Ok(Content::Nothing)
}

fn marker(folder: &RunDir) -> Option<Marker> {
    let bytes = read::regular(&folder.file(MARKER), MARKER_BYTES_MAX).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// `2026-11-21 06:12 UTC` of `2026-11-21T06:12:04.123Z`.
fn moment(rfc3339: &str) -> String {
    match rfc3339.get(..16) {
        Some(minute) => format!("{} UTC", minute.replacen('T', " ", 1)),
        None => rfc3339.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(id: &str) -> Identity {
        Identity {
            id: id.to_owned(),
            started_at: "2026-11-21T06:12:04Z".to_owned(),
        }
    }

    #[track_caller]
    fn refused(path: &Path, overwrite: bool) -> String {
        let failure = look(path, overwrite).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let mut text = Vec::new();
        failure.write(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_new_or_empty_folder_is_taken_and_looking_leaves_no_trace() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let claim = look(&path, false).unwrap();
        assert!(!path.exists());
        claim.take(identity("r-00000001")).unwrap();
        assert!(path.join(MARKER).is_file());
    }

    #[test]
    fn a_folder_with_a_run_is_refused_by_name_and_time_until_it_may_be_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        look(path, false).unwrap().take(identity("r-0a")).unwrap();
        let text = refused(path, false);
        assert!(
            text.contains("run r-0a of 2026-11-21 06:12 UTC, which left no result"),
            "{text}"
        );
        let logs = path.join("logs");
        fs::create_dir(&logs).unwrap();
        for name in [
            "summary.md",
            "logs/server.log",
            "notes.txt",
            "logs/mine.txt",
        ] {
            fs::write(path.join(name), name).unwrap();
        }
        look(path, true).unwrap().take(identity("r-0b")).unwrap();
        for (name, kept) in [
            ("summary.md", false),
            ("logs/server.log", false),
            ("notes.txt", true),
            ("logs/mine.txt", true),
        ] {
            assert_eq!(path.join(name).exists(), kept, "{name}");
        }
        assert!(refused(path, false).contains("r-0b"));
    }

    #[test]
    fn a_run_that_could_not_begin_leaves_its_folder_to_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        let folder = look(path, false).unwrap().take(identity("r-0a")).unwrap();
        fs::create_dir(path.join("logs")).unwrap();
        fs::write(path.join("logs/server.log"), "taken").unwrap();
        unbegun(&folder);
        look(path, false).unwrap().take(identity("r-0b")).unwrap();
        assert!(!path.join("logs").exists());
        assert!(refused(path, false).contains("r-0b"));
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused_whatever_is_asked() {
        for name in ["logs/app.log", "result.json", "summary.md"] {
            let temp = tempfile::tempdir().unwrap();
            let file = temp.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "precious").unwrap();
            for overwrite in [false, true] {
                let text = refused(temp.path(), overwrite);
                assert!(text.contains("not the folder of a run"), "{text}");
            }
            assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        }
    }

    #[test]
    fn a_file_that_only_keeps_the_folder_is_no_hindrance() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join(".gitkeep"), "").unwrap();
        look(temp.path(), false).unwrap();
    }
}
