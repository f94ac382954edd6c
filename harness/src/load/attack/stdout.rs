//! This module keeps goose from printing on stdout, which belongs to the summary.
//!
//! **In:** a stretch of the run. **Out:** nothing on stdout during it.
//!
//! goose 0.19 prints how many users it launched, whatever it is told. While a [`StdoutGuard`] lives, stdout
//! leads nowhere; dropped, it leads again where it did.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;

use nix::unistd::{dup, dup2_stdout};

/// Silence on stdout until dropped.
#[derive(Debug)]
pub(super) struct StdoutGuard {
    stdout: OwnedFd,
}

impl StdoutGuard {
    /// # Errors
    ///
    /// When files run out, or there is no `/dev/null`.
    pub(super) fn new() -> io::Result<Self> {
        let stdout = dup(io::stdout())?;
        let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
        dup2_stdout(nowhere)?;
        Ok(Self { stdout })
    }
}

impl Drop for StdoutGuard {
    fn drop(&mut self) {
        if let Err(error) = dup2_stdout(&self.stdout) {
            tracing::error!(%error, "stdout is lost");
        }
    }
}
