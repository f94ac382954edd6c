//! This module names the made-up runs, and holds the numbers in which they differ.

pub(super) const CLIENTS: u32 = 2_000;
const LOAD_US: u64 = 55_000_000;
const END_US: u64 = 60_000_000;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    /// Chat came back quickly and lost nothing.
    Pass,
    /// 42 messages lost, and slow to come back.
    Fail,
    /// The harness was late and the fault was not met by a probe.
    Invalid,
    /// Stopped at 27 s.
    Interrupted,
    /// Over too soon to see whether it came back.
    Inconclusive,
}

impl Story {
    /// How many times the offered rate is worked off after the outage.
    pub(super) const fn drain_rate(self) -> f64 {
        match self {
            Self::Fail => 1.74,
            Self::Inconclusive => 1.08,
            Self::Pass | Self::Invalid | Self::Interrupted => 3.4,
        }
    }

    pub(super) const fn end_us(self) -> u64 {
        match self {
            Self::Interrupted => 27_300_000,
            Self::Inconclusive => 29_000_000,
            Self::Pass | Self::Fail | Self::Invalid => END_US,
        }
    }

    /// End of the intended sends.
    pub(super) fn load_us(self) -> u64 {
        match self {
            Self::Inconclusive => 28_000_000,
            Self::Pass | Self::Fail | Self::Invalid | Self::Interrupted => {
                LOAD_US.min(self.end_us())
            }
        }
    }

    pub(super) const fn cut(self) -> u32 {
        match self {
            Self::Fail => 606,
            Self::Pass | Self::Invalid | Self::Interrupted | Self::Inconclusive => 0,
        }
    }
}
