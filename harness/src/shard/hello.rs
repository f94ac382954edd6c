//! This module is what a shard that nobody started for the run says of itself: who it is, and what time it has.

use serde::{Deserialize, Serialize};

/// What a shard says of itself first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub host: String,
    pub pid: u32,
    /// SHA-256 of its bundle.
    pub bundle: String,
    /// Version and commit of its build.
    pub build: String,
    pub clock: ClockOffset,
}

/// How far a clock is ahead of the file system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockOffset {
    pub ahead_us: i64,
    /// It may be so much more or less.
    pub bound_us: u64,
}

impl ClockOffset {
    /// How far two clocks may be apart.
    pub(super) fn error_us(self, other: Self) -> u64 {
        self.ahead_us.abs_diff(other.ahead_us) + self.bound_us + other.bound_us
    }

    /// How far they are apart for certain.
    pub(super) fn apart_us(self, other: Self) -> u64 {
        let apart_us = self.ahead_us.abs_diff(other.ahead_us);
        apart_us.saturating_sub(self.bound_us + other.bound_us)
    }
}
