//! This module is the mark in a folder by which it is known as that of a run, and the lock on it.
//!
//! **In:** a folder. **Out:** a [`Marker`]: whose folder it is, and what that run wrote there, each file with its
//! length and SHA-256; [`Held`]: the marker as long as one process has the folder for itself.
//!
//! The marker is written in place and never replaced, so that the lock on it stays the lock of the folder.
//!
//! **Source:** flock(2), open(2).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::save;
use crate::result::store::Identity;

/// Its name; it stays as long as the folder.
pub(super) const MARKER: &str = ".harness-run";
/// A marker lists two dozen files.
const MARKER_BYTES_MAX: u64 = 65_536;
/// More logs than a run can leave.
const LOGS_MAX: usize = 10_000;
/// The folder of the logs.
const LOGS: &str = "logs";
const BLOCK_BYTES: usize = 65_536;

/// What the marker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub run: Identity,
    #[serde(default)]
    pub state: State,
    /// By their names in the folder.
    #[serde(default)]
    pub files: BTreeMap<String, Print>,
}

/// How far its run came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It is under way, or was killed: what it wrote since is not listed.
    #[default]
    Open,
    /// It ended before it sent anything.
    Unbegun,
    /// All that it wrote is listed.
    Done,
}

/// What a file was when its run was done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print {
    bytes: u64,
    /// In base64.
    sha256: String,
}

/// The folder belongs to this process as long as this lives.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    path: PathBuf,
}

/// Why a marker is not held.
#[derive(Debug)]
pub(super) enum NotHeld {
    /// Somebody else has it.
    UnderWay,
    Io(io::Error),
}

impl From<io::Error> for NotHeld {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What of a folder a run wrote, or the name of what stands in its way.
#[derive(Debug)]
pub(super) enum Own {
    Files(Vec<PathBuf>),
    /// It has the name of a file of a run, and no run is known to have written it.
    Foreign(String),
}

impl Held {
    /// Makes the marker of a folder that has none.
    pub(super) fn new(folder: &Path, marker: &Marker) -> Result<Self, NotHeld> {
        let path = folder.join(MARKER);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(NotHeld::UnderWay);
            }
            other => other?,
        };
        let made = Self::lock(file, path.clone()).and_then(|mut held| {
            held.write(marker)?;
            Ok(held)
        });
        if let Err(NotHeld::Io(_)) = &made {
            // An empty marker, or half a one, would be taken for somebody's file.
            drop(fs::remove_file(&path));
        }
        made
    }

    /// Takes the marker that is there.
    pub(super) fn again(folder: &Path) -> Result<Self, NotHeld> {
        let path = folder.join(MARKER);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(&path)?;
        Self::lock(file, path)
    }

    fn lock(file: File, path: PathBuf) -> Result<Self, NotHeld> {
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path }),
            Err(TryLockError::WouldBlock) => Err(NotHeld::UnderWay),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Gives a folder back that was not used after all.
    pub(super) fn remove(self) {
        // Left behind it names a run that left nothing.
        drop(fs::remove_file(&self.path));
    }

    pub(super) fn write(&mut self, marker: &Marker) -> io::Result<()> {
        let text = serde_json::to_vec(marker)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A child that is just being started has a copy of the file, which alone would hold the folder a moment longer.
        drop(self.file.unlock());
    }
}

/// The marker of a folder; `None`: it has none that a run wrote.
pub(super) fn read(folder: &Path) -> Option<Marker> {
    let file = regular(&folder.join(MARKER)).ok()?;
    let mut text = Vec::new();
    file.take(MARKER_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// SHA-256 of a file, in base64.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    Print::of(path).map(|print| print.sha256)
}

/// A file that is no link, pipe or folder.
fn regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// What of a folder is of the run that marked it; everything else in it is somebody else's.
pub(super) fn own(folder: &Path, marker: &Marker) -> io::Result<Own> {
    let mut files = Vec::new();
    for name in save::names() {
        match is_own(folder, marker, name)? {
            Some(true) => files.push(folder.join(name)),
            Some(false) => return Ok(Own::Foreign(name.to_owned())),
            None => {}
        }
    }
    for name in logs(folder)? {
        match is_own(folder, marker, &name)? {
            Some(true) => files.push(folder.join(name)),
            Some(false) => return Ok(Own::Foreign(name)),
            None => {}
        }
    }
    Ok(Own::Files(files))
}

/// Whether the run wrote it; `None`: there is no such thing.
pub(super) fn is_own(folder: &Path, marker: &Marker, name: &str) -> io::Result<Option<bool>> {
    let path = folder.join(name);
    let kind = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let is_log = is_log(name);
    let own = kind.is_file()
        && match marker.files.get(name) {
            Some(known) => known.is_of(&path, is_log)?,
            None => is_log && marker.state == State::Open,
        };
    Ok(Some(own))
}

/// The logs that have the names of a run's; the folder itself where it is none.
fn logs(folder: &Path) -> io::Result<Vec<String>> {
    let path = folder.join(LOGS);
    let kind = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    if !kind.is_dir() {
        return Ok(vec![LOGS.to_owned()]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&path)?.take(LOGS_MAX) {
        let name = entry?.file_name();
        let name = name.to_str().map(|name| format!("{LOGS}/{name}"));
        names.extend(name.filter(|name| is_log(name)));
    }
    names.sort();
    Ok(names)
}

/// `logs/server.log`, `logs/edge-2.log`: what a run and its processes write.
fn is_log(name: &str) -> bool {
    let Some(stem) = name
        .strip_prefix("logs/")
        .and_then(|name| name.strip_suffix(".log"))
    else {
        return false;
    };
    let (stem, number) = stem.split_once('-').unwrap_or((stem, "1"));
    let numbered = matches!(stem, "server" | "edge") && number.parse::<u16>().is_ok();
    numbered || matches!((stem, number), ("harness" | "janitor" | "redis", "1"))
}

/// What the run wrote until now, with the prints of the files: those of its names, for it found none when it came.
pub(super) fn prints(folder: &Path) -> BTreeMap<String, Print> {
    let names = save::names().map(str::to_owned);
    // What cannot be read is not listed, and so nobody's to replace.
    let all = names.chain(logs(folder).unwrap_or_default());
    all.filter_map(|name| Some((name.clone(), Print::of(&folder.join(&name)).ok()?)))
        .collect()
}

/// Removes the logs' folder, where nothing is left in it.
pub(super) fn remove_logs_folder(folder: &Path) {
    // Not empty: what lies in it is somebody's.
    drop(fs::remove_dir(folder.join(LOGS)));
}

impl Print {
    fn of(path: &Path) -> io::Result<Self> {
        Self::until(&mut regular(path)?, u64::MAX)
    }

    /// Of the first `limit` bytes.
    fn until(file: &mut File, limit: u64) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut rest = file.take(limit);
        let mut block = vec![0; BLOCK_BYTES];
        let mut bytes = 0_u64;
        loop {
            let length = rest.read(&mut block)?;
            if length == 0 {
                break;
            }
            hash.update(&block[..length]);
            bytes += length as u64;
        }
        Ok(Self {
            bytes,
            sha256: STANDARD.encode(hash.finalize()),
        })
    }

    /// Whether the file is what it was; a log may have grown.
    fn is_of(&self, path: &Path, may_grow: bool) -> io::Result<bool> {
        let mut file = regular(path)?;
        let length = file.metadata()?.len();
        let fits = length == self.bytes || (may_grow && length > self.bytes);
        Ok(fits && Self::until(&mut file, self.bytes)? == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_a_run_gives_are_those_of_its_logs() {
        let own = [
            "harness", "janitor", "redis", "server", "server-2", "edge", "edge-12",
        ];
        for name in own {
            assert!(is_log(&format!("logs/{name}.log")), "{name}");
        }
        let others = ["app", "server-x", "redis-2", "server-", "old.server", ""];
        for name in others {
            assert!(!is_log(&format!("logs/{name}.log")), "{name}");
        }
        assert!(!is_log("server.log") && !is_log("logs/server.txt"));
    }

    #[test]
    fn a_folder_is_held_by_one_at_a_time_and_the_marker_is_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let marker = Marker {
            run: Identity {
                id: "r-1".to_owned(),
                started_at: String::new(),
            },
            state: State::Open,
            files: BTreeMap::new(),
        };
        let held = Held::new(folder.path(), &marker).unwrap();
        assert!(matches!(
            Held::new(folder.path(), &marker),
            Err(NotHeld::UnderWay)
        ));
        assert!(matches!(Held::again(folder.path()), Err(NotHeld::UnderWay)));
        drop(held);
        Held::again(folder.path()).unwrap();
        assert_eq!(read(folder.path()), Some(marker));

        let other = tempfile::tempdir().unwrap();
        let link = other.path().join(MARKER);
        std::os::unix::fs::symlink(folder.path().join(MARKER), link).unwrap();
        assert_eq!(read(other.path()), None);
        assert!(matches!(Held::again(other.path()), Err(NotHeld::Io(_))));
    }
}
