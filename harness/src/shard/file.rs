//! This module is a file of the shared folder: whole or not there.
//!
//! **In:** bytes, or a path. **Out:** the file, written beside its place and renamed; or what is in it. A *sign of life* has a
//! number that grows, and the word that is posted with it.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use tokio_util::bytes::{Buf as _, Bytes};

use super::message::FRAME_BYTES_MAX;

/// Writes a file as a whole: whoever reads it finds all or nothing of it.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// `None`: there is no such file yet.
pub(super) fn content(path: &Path) -> io::Result<Option<Bytes>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(FRAME_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(io::Error::other("a file that is too long for a frame"));
    }
    Ok(Some(bytes.into()))
}

/// A sign of life, as it was found.
pub(super) struct Sign {
    pub beat: u64,
    /// The how-manieth word that is; 0: none.
    pub posted: u64,
    pub frame: Bytes,
}

impl Sign {
    /// `None`: there is none.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let Some(mut bytes) = content(path)? else {
            return Ok(None);
        };
        if bytes.len() < 16 {
            return Err(io::Error::other("a sign of life that is none"));
        }
        Ok(Some(Self {
            beat: bytes.get_u64_le(),
            posted: bytes.get_u64_le(),
            frame: bytes,
        }))
    }
}

/// Writes one, in place of the last.
pub(super) fn sign(path: &Path, (beat, posted): (u64, u64), frame: &[u8]) -> io::Result<()> {
    let head = [beat.to_le_bytes(), posted.to_le_bytes()].concat();
    replace(path, &[&head, frame])
}
