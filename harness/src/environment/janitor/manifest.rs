//! This module writes down what a run holds outside its own memory, so that it can be given back.
//!
//! **In:** processes, proxies and directories, each *before* or in the very step in which it comes
//! to be. **Out:** one file per run, `<state>/harness/leases/<run>.json`, replaced atomically.
//! The janitor is the only writer; `harness recover` reads.
//!
//! On disk and in texts for the user a manifest is called a *lease*. What stands in one is obeyed,
//! with the rights of whoever cleans up: only a private folder or file of this user counts
//! ([`private`]); anything else is refused by name.
//!
//! **Source:** XDG Base Directory Specification (state directory).

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::JanitorError;
use crate::environment::private::{self, FileKind};
use crate::environment::process::ProcessId;

/// Version of the file's form.
const SCHEMA: &str = "harness.lease/1";
/// A manifest is a few kilobytes; anything longer is not one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What one run holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub schema: String,
    pub run_id: String,
    /// Start times are only comparable within one boot of the machine.
    pub boot: String,
    pub harness: ProcessId,
    pub janitor: ProcessId,
    pub processes: Vec<HeldProcess>,
    /// A Toxiproxy that is not ours, and our proxies on it.
    pub toxiproxy: Option<HeldProxies>,
    /// Removed with all its contents.
    pub directory: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldProcess {
    /// `redis`, `server`.
    pub what: String,
    pub process: ProcessId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldProxies {
    pub url: String,
    /// Created by this run: removed.
    pub names: Vec<String>,
    /// Somebody else's, and enabled when the run began: freed of this run's toxics, and enabled.
    #[serde(default)]
    pub existing: Vec<String>,
}

/// A new run's manifest, holding nothing yet but a directory that is still to be made.
pub(crate) fn new(run_id: &str, harness: ProcessId, janitor: ProcessId) -> Manifest {
    let temporary = env::temp_dir();
    // Whoever cleans up may stand elsewhere.
    let temporary = std::path::absolute(&temporary).unwrap_or(temporary);
    Manifest {
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
pub(crate) fn directory_name(run_id: &str) -> String {
    format!("harness-{run_id}")
}

/// Which boot of the machine this is.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// `$XDG_STATE_HOME/harness/leases`, else below `~/.local/state`; of this user alone, where it
/// exists. There is no other: in a folder for everybody, somebody else could write what this user
/// obeys.
pub(crate) fn directory() -> Result<PathBuf, JanitorError> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(absolute(env::home_dir()?)?.join(".local/state"));
    let state = state.and_then(absolute).or_else(home);
    let own = state.ok_or(JanitorError::NoFolder)?.join("harness");
    let leases = own.join("leases");
    for folder in [&own, &leases] {
        let kind = fs::symlink_metadata(folder);
        let kind = match kind {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            other => other,
        };
        kind.and_then(|kind| private::check(&kind, FileKind::Folder))
            .map_err(|error| JanitorError::Folder {
                path: folder.clone(),
                reason: error.to_string(),
            })?;
    }
    Ok(leases)
}

/// The file of a run's manifest.
pub(crate) fn file(directory: &Path, run_id: &str) -> PathBuf {
    directory.join(format!("{run_id}.json"))
}

/// Puts the manifest in place of its former self.
pub(crate) fn write(directory: &Path, manifest: &Manifest) -> io::Result<()> {
    private::directory(directory)?;
    let text = serde_json::to_vec_pretty(manifest)?;
    let next = directory.join(format!("{}.json.{}", manifest.run_id, manifest.janitor.pid));
    if let Err(error) = fs::remove_file(&next)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    private::write(&next, &text)?;
    fs::rename(&next, file(directory, &manifest.run_id))
}

/// Reads one manifest.
pub(crate) fn read(path: &Path) -> Result<Manifest, JanitorError> {
    let problem = |reason: String| JanitorError::Manifest {
        path: path.to_owned(),
        reason,
    };
    let text = private::read(path, FILE_BYTES_MAX).map_err(|error| problem(error.to_string()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    if manifest.schema != SCHEMA {
        return Err(problem(format!("`{}` is not {SCHEMA}", manifest.schema)));
    }
    let name = format!("{}.json", manifest.run_id);
    if path.file_name().is_none_or(|found| *found != *name) {
        return Err(problem(format!("it is of run {}", manifest.run_id)));
    }
    Ok(manifest)
}

/// The manifests of a directory, in order of name.
pub(crate) fn list(directory: &Path) -> Result<Vec<PathBuf>, JanitorError> {
    let problem = |error: io::Error| JanitorError::Manifest {
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
        let directory = private::test_directory();
        let me = ProcessId::of_self().unwrap();
        let mut manifest = new("r1", me, me);
        manifest.processes.push(HeldProcess {
            what: "redis".to_owned(),
            process: me,
        });
        write(directory.path(), &manifest).unwrap();
        write(directory.path(), &manifest).unwrap();
        let files = list(directory.path()).unwrap();
        assert_eq!(files, [file(directory.path(), "r1")]);
        assert_eq!(read(&files[0]).unwrap(), manifest);
    }

    #[test]
    fn a_lease_that_cannot_be_read_is_named() {
        let directory = private::test_directory();
        let path = directory.path().join("broken.json");
        private::write(&path, b"{").unwrap();
        let problem = read(&path).unwrap_err();
        assert!(problem.to_string().contains("broken.json"), "{problem}");
    }

    #[test]
    fn a_lease_that_others_could_have_written_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = private::test_directory();
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
            private::directory(&folder).unwrap_err();
        }
    }
}
