//! This module reads the operating system's random source.

use std::fs::File;
use std::io::Read as _;

use super::MachineError;

/// Fills `bytes` from `/dev/urandom`.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), MachineError> {
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(bytes))
        .map_err(|source| MachineError::Random { source })
}
