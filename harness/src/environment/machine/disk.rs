//! This module finds out, before a run, whether what it writes will have a place.
//!
//! **In:** the folder, which need not exist, and what is needed. **Out:** what was counted, or what
//! is missing. Nothing is written, and nothing made.
//!
//! **Units:** bytes; files in pieces.
//!
//! **Source:** statvfs(3), access(2).

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::{MachineError, OutError};
use crate::units;

/// Files and folders of a run, with its logs and what a write needs for a moment.
const FILES: u64 = 32;

/// A disk that has less is full: what is written next may not fit, and what did not is cut off
/// again.
const ROOM_BYTES: u64 = 16 << 10;

/// Whether there is room for that much where temporary files go; a Redis of the run keeps its own
/// there.
pub(crate) fn check_temporary(needed_bytes: u64) -> Result<String, MachineError> {
    let path = std::env::temp_dir();
    let failed = |source: io::Error| MachineError::TemporaryNotThere {
        path: path.clone(),
        source,
    };
    let disk = statvfs(&path).map_err(|errno| failed(errno.into()))?;
    let free_bytes = disk.blocks_available() * disk.fragment_size();
    if free_bytes < needed_bytes {
        return Err(MachineError::TemporaryTooSmall {
            path,
            needed_bytes,
            free_bytes,
        });
    }
    let (needed, free) = (
        units::print_bytes(needed_bytes),
        units::print_bytes(free_bytes),
    );
    Ok(format!(
        "temporary files: about {needed} needed, {free} free"
    ))
}

/// Whether the folder can be made and written to, and has room for that much.
pub(crate) fn check(folder: &Path, needed_bytes: u64) -> Result<String, OutError> {
    let failed = |source: io::Error| OutError::NotWritable {
        path: folder.to_owned(),
        source,
    };
    let there = writable(folder).map_err(failed)?;
    let disk = statvfs(&there).map_err(|errno| failed(errno.into()))?;
    let free_bytes = disk.blocks_available() * disk.fragment_size();
    if free_bytes < needed_bytes {
        return Err(OutError::TooSmall {
            path: folder.to_owned(),
            needed_bytes,
            free_bytes,
        });
    }
    // A file system that makes them as it needs them counts none.
    if disk.files() > 0 && disk.files_available() < FILES {
        return Err(OutError::TooFewFiles {
            path: folder.to_owned(),
            needed: FILES,
            free: disk.files_available(),
        });
    }
    let (needed, free) = (
        units::print_bytes(needed_bytes),
        units::print_bytes(free_bytes),
    );
    Ok(format!("disk: about {needed} needed, {free} free"))
}

/// Hardly anything more can be written in this folder.
pub(crate) fn has_no_room(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|disk| {
        let free_bytes = disk.blocks_available() * disk.fragment_size();
        free_bytes < ROOM_BYTES || (disk.files() > 0 && disk.files_available() == 0)
    })
}

/// Whether the folder can be made or written to; it, or the nearest one above it that exists.
pub(crate) fn writable(folder: &Path) -> io::Result<PathBuf> {
    let there = nearest(folder)?;
    access(&there, AccessFlags::W_OK | AccessFlags::X_OK)?;
    Ok(there)
}

fn nearest(folder: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(folder)?;
    for path in whole.ancestors() {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Ok(path.to_owned()),
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_made_is_named_and_nothing_is_made() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        let under = file.join("run");
        let problem = check(&under, 0).unwrap_err().to_string();
        assert!(problem.contains(under.to_str().unwrap()), "{problem}");
        check(&temp.path().join("a/b"), 0).unwrap();
        assert!(!temp.path().join("a").exists());
    }

    #[test]
    fn a_disk_without_room_is_told_from_one_with_room() {
        let temp = tempfile::tempdir().unwrap();
        assert!(has_no_room(Path::new("/proc")) && !has_no_room(temp.path()));
        check_temporary(0).unwrap();
        let problem = check_temporary(u64::MAX).unwrap_err().to_string();
        assert!(problem.starts_with("TMPDIR "), "{problem}");
    }

    #[test]
    fn a_folder_that_is_too_small_is_named_with_both_figures() {
        let temp = tempfile::tempdir().unwrap();
        let problem = check(temp.path(), u64::MAX).unwrap_err();
        assert!(matches!(problem, OutError::TooSmall { .. }));
        assert!(problem.to_string().contains(" free"), "{problem}");
    }
}
