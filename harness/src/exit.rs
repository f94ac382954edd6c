//! This module lists every way in which a command can end: exit code, name and meaning, each once.
//!
//! **In / Out:** nothing; a vocabulary shared by the verdict, the reports and the command line.

use std::process::ExitCode;

/// Every way in which a command can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Pass = 0,
    Bug = 1,
    Usage = 2,
    Environment = 3,
    Storage = 5,
    Threshold = 10,
    Regression = 11,
    Inconclusive = 12,
    Invalid = 13,
    Incorrect = 14,
    Interrupted = 130,
}

impl Exit {
    const ALL: [Self; 11] = [
        Self::Pass,
        Self::Bug,
        Self::Usage,
        Self::Environment,
        Self::Storage,
        Self::Threshold,
        Self::Regression,
        Self::Inconclusive,
        Self::Invalid,
        Self::Incorrect,
        Self::Interrupted,
    ];

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The end that has this code; a code that none has is a bug.
    pub(crate) fn of(code: u8) -> Self {
        let mut known = Self::ALL.into_iter();
        known.find(|exit| exit.code() == code).unwrap_or(Self::Bug)
    }

    /// As a report says it beside the code; empty for success.
    pub(crate) const fn name(self) -> &'static str {
        self.words().0
    }

    /// Name and meaning.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("", "pass"),
            Self::Bug => ("error in the harness", "a bug in the harness"),
            Self::Usage => (
                "usage or scenario",
                "the command line or the scenario is wrong",
            ),
            Self::Environment => ("environment did not start", "the environment did not start"),
            Self::Storage => (
                "a result cannot be read or written",
                "a result, or a file of it, cannot be read or written",
            ),
            Self::Threshold => ("threshold breached", "an expectation was not met"),
            Self::Regression => ("regression", "slower than the baseline"),
            Self::Inconclusive => ("inconclusive", "not enough to tell"),
            Self::Invalid => (
                "invalid run",
                "the run cannot be trusted: the generator was saturated, the load was not offered, or a fault was not confirmed",
            ),
            Self::Incorrect => (
                "correctness violated",
                "the service broke a promise: lost, duplicated, out of order, or let in",
            ),
            Self::Interrupted => ("interrupted", "interrupted; the partial result is saved"),
        }
    }

    /// The table that `--help` shows.
    pub(crate) fn table() -> String {
        let row = |exit: Self| format!("  {:>3}  {}", exit.code(), exit.words().1);
        let rows = Self::ALL.map(row);
        format!("Exit codes:\n{}", rows.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
