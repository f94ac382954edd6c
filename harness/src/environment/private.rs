//! This module makes and reads folders and files of this user alone.
//!
//! **In:** paths. **Out:** what was asked for, or an error where somebody else could have had a
//! hand in it: a folder or file counts only if it belongs to the user that this process runs for
//! and nobody else may write or read it, and no link is followed to it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::process::own_user;

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// What those who are not the owner may do.
const OTHERS: u32 = 0o077;

/// What is to be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Folder,
    File,
}

/// Whether it is what it should be, and this user's alone.
pub(crate) fn check(found: &fs::Metadata, kind: FileKind) -> io::Result<()> {
    let problem = |text: String| Err(io::Error::other(text));
    let own = own_user();
    match kind {
        FileKind::Folder if !found.is_dir() => return problem("it is no folder".to_owned()),
        FileKind::File if !found.is_file() => return problem("it is no regular file".to_owned()),
        FileKind::Folder | FileKind::File => {}
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

/// Creates a directory only its owner can enter, with those above it; one that is there must be
/// such a one.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIRECTORY)
        .create(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    check(&fs::symlink_metadata(path)?, FileKind::Folder)
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// Creates a directory only its owner can enter; it must not exist, for where many may write, it
/// could be anybody's.
pub(crate) fn new_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .mode(PRIVATE_DIRECTORY)
        .create(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Writes a file only its owner can read; it must not exist.
pub(crate) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(path)?;
    file.write_all(contents)
}

/// Reads a file of this user alone, of at most `bytes_max`; the file that was opened is the one
/// that was looked at.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    check(&file.metadata()?, FileKind::File)?;
    let mut text = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("more than {bytes_max} bytes")));
    }
    Ok(text)
}

/// A folder for the leases of a test.
#[cfg(test)]
pub(crate) fn test_directory() -> tempfile::TempDir {
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
    fn a_directory_that_is_there_already_is_not_taken_for_ones_own() {
        let directory = test_directory();
        let path = directory.path().join("harness-r1");
        new_directory(&path).unwrap();
        let problem = new_directory(&path).unwrap_err().to_string();
        assert!(problem.contains("harness-r1"), "{problem}");
    }
}
