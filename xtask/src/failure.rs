//! This module names what can go wrong, with a hint for the person at the keyboard.

use std::path::PathBuf;

use thiserror::Error;

/// A command that did not succeed.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{step} failed with {status}")]
    Step { step: String, status: String },
    #[error("could not start `{program}`: {source}")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("{} is needed and not installed, and {why}", programs[0])]
    Missing {
        /// Its names, the usual one first.
        programs: &'static [&'static str],
        /// The variable that names another one.
        variable: &'static str,
        why: String,
        remedy: String,
    },
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("fuzzing found something:\n{}", found.join("\n"))]
    Found {
        /// The input that does it, and how to repeat it.
        found: Vec<String>,
    },
    #[error("{path}: {what}")]
    Result { path: PathBuf, what: String },
    #[error("no server is called \"{name}\"")]
    Unknown {
        name: String,
        /// Those that are, in one line.
        known: String,
    },
}

impl Failure {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing {
                programs,
                variable,
                remedy,
                ..
            } => Some(format!(
                "{remedy}, or point {variable} at a {} binary",
                programs.join(" or ")
            )),
            Self::Found { .. } => Some(
                "with the cause repaired, keep the input in fuzz/corpus/TARGET, under a name that says what it is"
                    .to_owned(),
            ),
            Self::Unknown { known, .. } => Some(format!("known: {known}")),
            Self::Step { .. } | Self::Start { .. } | Self::File { .. } | Self::Result { .. } => {
                None
            }
        }
    }
}
