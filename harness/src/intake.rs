//! This module reads a file that a user named: a regular one, and no more of it than it may hold.
//!
//! **In:** a path and a limit. **Out:** its bytes, or its text, or why not. A pipe is refused rather than waited
//! for, a device rather than read for ever; the size is what comes, not what the system says beforehand.
//!
//! **Units:** bytes.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::string::FromUtf16Error;

use nix::fcntl::OFlag;

/// Why a file gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error("{}", reason(.0))]
    Io(#[source] io::Error),
    #[error("it is a folder, not a file")]
    Folder,
    #[error("it is no regular file: a pipe or a device cannot be read twice, or to its end")]
    Irregular,
    #[error("it has more than {limit_bytes} bytes")]
    TooLong { limit_bytes: u64 },
    #[error("line {line} is not UTF-8: save the file as UTF-8")]
    NotUtf8 { line: usize },
    #[error("it is broken UTF-16: save it as UTF-8")]
    NotUtf16(#[source] FromUtf16Error),
    #[error("it is UTF-16 and ends within a character: save it as UTF-8")]
    HalfUtf16,
}

/// The reason without the operating system's error number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

/// The whole file.
pub(crate) fn bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, IntakeError> {
    // To open a device may be to start something.
    check(&std::fs::metadata(path).map_err(IntakeError::Io)?)?;
    // Another file may lie there by now: to open a pipe, or to read what has no end, is not waited for.
    let mut options = File::options();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path).map_err(IntakeError::Io)?;
    check(&file.metadata().map_err(IntakeError::Io)?)?;
    let mut bytes = Vec::new();
    let mut most = file.take(limit_bytes.saturating_add(1));
    most.read_to_end(&mut bytes).map_err(IntakeError::Io)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(IntakeError::TooLong { limit_bytes });
    }
    Ok(bytes)
}

fn check(found: &Metadata) -> Result<(), IntakeError> {
    if found.is_dir() {
        return Err(IntakeError::Folder);
    }
    if !found.is_file() {
        return Err(IntakeError::Irregular);
    }
    Ok(())
}

/// The same as text: UTF-8, or UTF-16 that says so, as spreadsheets write it; without the mark in front.
pub(crate) fn text(path: &Path, limit_bytes: u64) -> Result<String, IntakeError> {
    let bytes = bytes(path, limit_bytes)?;
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest.to_vec()),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, IntakeError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..good];
        IntakeError::NotUtf8 {
            line: 1 + memchr::memchr_iter(b'\n', before).count(),
        }
    })
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, IntakeError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(IntakeError::HalfUtf16);
    }
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).map_err(IntakeError::NotUtf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8], limit_bytes: u64) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        text(file.path(), limit_bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn marks_and_encodings_of_spreadsheets_are_understood() {
        assert_eq!(read(b"\xEF\xBB\xBFa\r\n", 9).unwrap(), "a\r\n");
        assert_eq!(read(b"\xFF\xFEa\0\xFC\0", 9).unwrap(), "aü");
        assert_eq!(read(b"\xFE\xFF\0a\0\xFC", 9).unwrap(), "aü");
        assert!(read(b"a\nj\xFCrgen\n", 99).unwrap_err().contains("line 2"));
        assert!(read(b"\xFF\xFEa", 9).unwrap_err().contains("UTF-16"));
    }

    #[test]
    fn what_is_no_file_or_too_long_is_refused_at_once() {
        assert_eq!(read(b"12345", 5).unwrap(), "12345");
        assert!(read(b"123456", 5).unwrap_err().contains("more than 5"));
        let refused = |path: &str| bytes(Path::new(path), 10).unwrap_err();
        assert!(matches!(refused("/dev/zero"), IntakeError::Irregular));
        assert!(matches!(refused("/tmp"), IntakeError::Folder));
        assert!(matches!(refused("/nowhere"), IntakeError::Io(_)));
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(
            refused(pipe.to_str().unwrap()),
            IntakeError::Irregular
        ));
    }
}
