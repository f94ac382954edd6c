//! This module writes down what a run holds outside its own memory, so that it can be given back.
//!
//! **In:** processes, proxies and directories, each *before* or in the very step in which it comes
//! to be. **Out:** one file per run, `<state>/harness/leases/<run>.json`, replaced atomically.
//! The janitor is the only writer; `harness recover` reads.
//!
//! **Source:** XDG Base Directory Specification (state directory).

use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::EnvironmentError;
use super::process::ProcessId;

/// Version of the file's form.
const SCHEMA: &str = "harness.lease/1";
/// A lease is a few kilobytes; anything longer is not one.
const LEASE_BYTES_MAX: u64 = 1 << 20;
const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

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
    Lease {
        schema: SCHEMA.to_owned(),
        run_id: run_id.to_owned(),
        boot: boot_id(),
        harness,
        janitor,
        processes: Vec::new(),
        toxiproxy: None,
        directory: env::temp_dir().join(directory_name(run_id)),
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

/// `$XDG_STATE_HOME/harness/leases`, else below `~/.local/state`, else below the temporary files.
pub(super) fn directory() -> PathBuf {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(env::temp_dir)
        .join("harness/leases")
}

/// The file of a run's lease.
pub(super) fn file(directory: &Path, run_id: &str) -> PathBuf {
    directory.join(format!("{run_id}.json"))
}

/// Creates a directory only its owner can enter, with those above it.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIRECTORY)
        .create(path)
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
    let size = fs::metadata(path).map_err(|error| problem(error.to_string()))?;
    if size.len() > LEASE_BYTES_MAX {
        return Err(problem(format!("{} bytes are too many", size.len())));
    }
    let text = fs::read(path).map_err(|error| problem(error.to_string()))?;
    let lease: Lease = serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    if lease.schema != SCHEMA {
        return Err(problem(format!("`{}` is not {SCHEMA}", lease.schema)));
    }
    Ok(lease)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_reads_back_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
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
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("broken.json");
        private_file(&path, b"{").unwrap();
        let problem = read(&path).unwrap_err();
        assert!(problem.to_string().contains("broken.json"), "{problem}");
    }
}
