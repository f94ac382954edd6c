//! This module is who drives a part of a load: a process that the run started here, or one that came to it.

use std::time::Duration;

use super::hello::Hello;
use crate::environment::LoadProcess;

/// Who drives a part.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    Here(LoadProcess),
    There {
        /// From 1.
        number: u16,
        hello: Hello,
        /// How far its clock may be from the run's.
        clock_error_us: u64,
    },
}

impl Peer {
    /// From 1.
    pub(super) const fn number(&self) -> u16 {
        match self {
            Self::Here(process) => process.number,
            Self::There { number, .. } => *number,
        }
    }

    /// `shard 2 (pid 4711, see logs/shard-2.log)`, `shard 3 (node-7, pid 12)`.
    pub(super) fn named(&self) -> String {
        match self {
            Self::Here(process) => {
                let log = process.log.file_name().unwrap_or_default();
                format!(
                    "shard {} (pid {}, see logs/{})",
                    process.number,
                    process.pid(),
                    log.display()
                )
            }
            Self::There { number, hello, .. } => {
                format!("shard {number} ({}, pid {})", hello.host, hello.pid)
            }
        }
    }

    /// Where it is, if it is not here.
    pub(super) fn host(&self) -> Option<&str> {
        match self {
            Self::Here(_) => None,
            Self::There { hello, .. } => Some(&hello.host),
        }
    }

    /// How far its clock may be from the run's; it is the same clock here.
    pub(super) const fn clock_error_us(&self) -> Option<u64> {
        match self {
            Self::Here(_) => None,
            Self::There { clock_error_us, .. } => Some(*clock_error_us),
        }
    }

    /// Whether it is known to be gone within that time.
    pub(super) async fn ended_within(&self, patience: Duration) -> bool {
        match self {
            Self::Here(process) => process.ended_within(patience).await,
            Self::There { .. } => false,
        }
    }
}
