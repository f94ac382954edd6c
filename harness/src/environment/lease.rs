//! This module writes down what a run holds outside its own memory, so that it can be given back.
//!
//! **In:** processes, proxies and directories, each *before* or in the very step in which it comes
//! to be. **Out:** one file per run, `<state>/harness/leases/<run>.json`, replaced atomically.
//! The janitor is the only writer; `harness recover` reads.
//!
//! What stands in a lease is obeyed, with the rights of whoever cleans up. So a folder or file of leases counts only
//! if it belongs to the user that this process runs for and nobody else may write or read it, and no link is followed
//! to it; anything else is refused by name.
//!
//! **Source:** XDG Base Directory Specification (state directory).

use std::env;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::error::EnvironmentError;
use super::process::{ProcessId, own_user};

/// Version of the file's form.
const SCHEMA: &str = "harness.lease/1";
/// A lease is a few kilobytes; anything longer is not one.
const LEASE_BYTES_MAX: u64 = 1 << 20;
const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// What those who are not the owner may do.
const OTHERS: u32 = 0o077;

/// What one run holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lease {
    pub schema: String,
    pub run_id: String,
    /// Start times are only comparable within one boot of the machine.
    pub boot: String,
    pub harness: ProcessId,
    pub janitor: ProcessId,
    pub processes: Vec<LeasedProcess>,
    /// A Toxiproxy that is not ours, and our proxies on it.
    pub toxiproxy: Option<LeasedProxies>,
    /// Removed with all its contents.
    pub directory: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeasedProcess {
    /// `redis`, `server`.
    pub what: String,
    pub process: ProcessId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeasedProxies {
    pub url: String,
    /// Created by this run: removed.
    pub names: Vec<String>,
    /// Somebody else's, and enabled when the run began: freed of this run's toxics, and enabled.
    #[serde(default)]
    pub existing: Vec<String>,
}

/// What the names of everything start with that a run creates on a fault proxy.
pub(super) fn own_prefix(run_id: &str) -> String {
    format!("harness-{run_id}-")
}

/// A new run's lease, holding nothing yet but a directory that is still to be made.
pub(super) fn new(run_id: &str, harness: ProcessId, janitor: ProcessId) -> Lease {
    let temporary = env::temp_dir();
    // Whoever cleans up may stand elsewhere.
    let temporary = std::path::absolute(&temporary).unwrap_or(temporary);
    Lease {
        schema: SCHEMA.to_owned(),
        run_id: run_id.to_owned(),
        boot: boot_id(),
        harness,
        janitor,
        processes: Vec::new(),
        toxiproxy: None,
        directory: temporary.join(directory_name(run_id)),
    }
}

/// The name of a run's directory; nothing that is named otherwise is ever removed.
pub(super) fn directory_name(run_id: &str) -> String {
    format!("harness-{run_id}")
}

/// Which boot of the machine this is.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// `$XDG_STATE_HOME/harness/leases`, else below `~/.local/state`; of this user alone, where it exists. There is no other:
/// in a folder for everybody, somebody else could write what this user obeys.
pub(super) fn directory() -> Result<PathBuf, EnvironmentError> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(absolute(env::home_dir()?)?.join(".local/state"));
    let state = state.and_then(absolute).or_else(home);
    let own = state
        .ok_or(EnvironmentError::NoStateFolder)?
        .join("harness");
    let leases = own.join("leases");
    for folder in [&own, &leases] {
        let kind = fs::symlink_metadata(folder);
        let kind = match kind {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            other => other,
        };
        kind.and_then(|kind| private(&kind, Kind::Folder))
            .map_err(|error| EnvironmentError::StateFolder {
                path: folder.clone(),
                reason: error.to_string(),
            })?;
    }
    Ok(leases)
}

/// What is to be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

/// Whether it is what it should be, and this user's alone.
pub(super) fn private(found: &fs::Metadata, kind: Kind) -> io::Result<()> {
    let problem = |text: String| Err(io::Error::other(text));
    let own = own_user();
    match kind {
        Kind::Folder if !found.is_dir() => return problem("it is no folder".to_owned()),
        Kind::File if !found.is_file() => return problem("it is no regular file".to_owned()),
        Kind::Folder | Kind::File => {}
    }
    if own != Some(found.uid()) {
        return problem(format!(
            "it belongs to user {}, and not to this one",
            found.uid()
        ));
    }
    if found.mode() & OTHERS != 0 {
        let mode = found.mode() & 0o7777;
        return problem(format!("others may use it (mode {mode:04o})"));
    }
    Ok(())
}

/// The file of a run's lease.
pub(super) fn file(directory: &Path, run_id: &str) -> PathBuf {
    directory.join(format!("{run_id}.json"))
}

/// Creates a directory only its owner can enter, with those above it; one that is there must be such a one.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIRECTORY)
        .create(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    private(&fs::symlink_metadata(path)?, Kind::Folder)
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// Creates a directory only its owner can enter; it must not exist, for where many may write, it could be anybody's.
pub(super) fn new_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .mode(PRIVATE_DIRECTORY)
        .create(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Writes a file only its owner can read; it must not exist.
pub(super) fn private_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(path)?;
    file.write_all(contents)
}

/// Puts the lease in place of its former self.
pub(super) fn write(directory: &Path, lease: &Lease) -> io::Result<()> {
    private_directory(directory)?;
    let text = serde_json::to_vec_pretty(lease)?;
    let next = directory.join(format!("{}.json.{}", lease.run_id, lease.janitor.pid));
    if let Err(error) = fs::remove_file(&next)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    private_file(&next, &text)?;
    fs::rename(&next, file(directory, &lease.run_id))
}

/// Reads one lease.
pub(super) fn read(path: &Path) -> Result<Lease, EnvironmentError> {
    let problem = |reason: String| EnvironmentError::Lease {
        path: path.to_owned(),
        reason,
    };
    let text = private_text(path).map_err(|error| problem(error.to_string()))?;
    let lease: Lease = serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    if lease.schema != SCHEMA {
        return Err(problem(format!("`{}` is not {SCHEMA}", lease.schema)));
    }
    let name = format!("{}.json", lease.run_id);
    if path.file_name().is_none_or(|found| *found != *name) {
        return Err(problem(format!("it is of run {}", lease.run_id)));
    }
    Ok(lease)
}

/// The file that was opened is the one that was looked at.
fn private_text(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    private(&file.metadata()?, Kind::File)?;
    let mut text = Vec::new();
    file.take(LEASE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LEASE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "more than {LEASE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

/// The lease files of a directory, in order of name.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, EnvironmentError> {
    let problem = |error: io::Error| EnvironmentError::Lease {
        path: directory.to_owned(),
        reason: error.to_string(),
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(problem(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(problem)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A folder for the leases of a test.
#[cfg(test)]
pub(super) fn test_directory() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::Permissions::from_mode(PRIVATE_DIRECTORY);
    tempfile::Builder::new()
        .permissions(mode)
        .tempdir()
        .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_reads_back_as_it_was_written() {
        let directory = test_directory();
        let me = ProcessId::of_self().unwrap();
        let mut lease = new("r1", me, me);
        lease.processes.push(LeasedProcess {
            what: "redis".to_owned(),
            process: me,
        });
        write(directory.path(), &lease).unwrap();
        write(directory.path(), &lease).unwrap();
        let files = list(directory.path()).unwrap();
        assert_eq!(files, [file(directory.path(), "r1")]);
        assert_eq!(read(&files[0]).unwrap(), lease);
    }

    #[test]
    fn a_lease_that_cannot_be_read_is_named() {
        let directory = test_directory();
        let path = directory.path().join("broken.json");
        private_file(&path, b"{").unwrap();
        let problem = read(&path).unwrap_err();
        assert!(problem.to_string().contains("broken.json"), "{problem}");
    }

    #[test]
    fn a_lease_that_others_could_have_written_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = test_directory();
        let me = ProcessId::of_self().unwrap();
        write(directory.path(), &new("r1", me, me)).unwrap();
        let path = file(directory.path(), "r1");
        let refused = |path: &Path| read(path).unwrap_err().to_string();
        for mode in [0o644, 0o620, 0o606] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let problem = refused(&path);
            assert!(problem.contains("others may use it"), "{problem}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        read(&path).unwrap();
        let link = directory.path().join("r2.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        refused(&link);
        let renamed = directory.path().join("r3.json");
        fs::rename(&path, &renamed).unwrap();
        assert!(refused(&renamed).contains("it is of run r1"));
        let pipe = directory.path().join("r4.json");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(refused(&pipe).contains("no regular file"));
        for folder in ["open", "link"] {
            let folder = directory.path().join(folder);
            if folder.ends_with("link") {
                std::os::unix::fs::symlink(directory.path(), &folder).unwrap();
            } else {
                fs::create_dir(&folder).unwrap();
                fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
            }
            private_directory(&folder).unwrap_err();
        }
    }

    #[test]
    fn a_directory_that_is_there_already_is_not_taken_for_ones_own() {
        let directory = test_directory();
        let path = directory.path().join("harness-r1");
        new_directory(&path).unwrap();
        let problem = new_directory(&path).unwrap_err().to_string();
        assert!(problem.contains("harness-r1"), "{problem}");
    }
}
