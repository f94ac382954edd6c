//! This module knows what this machine offers a run: disk, ports, open files, memory, threads,
//! programs.
//!
//! **In:** limits of the system, `PATH`. **Out:** a line or a value for each, or a
//! [`MachineError`].

pub(crate) mod affinity;
pub(crate) mod disk;
mod error;
pub(crate) mod headroom;
pub(crate) mod limit;
pub(crate) mod listener;
pub(crate) mod port;
pub(crate) mod program;
pub(crate) mod random;

pub(crate) use error::{MachineError, OutError, ProgramError};
