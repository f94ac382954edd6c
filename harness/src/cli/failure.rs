//! This module holds what a command says when it did not work.
//!
//! **In:** facts of a failure. **Out:** lines on stderr (`error: …`, ` hint: …`) and an exit code.

use std::fmt;
use std::io::{self, Write};

use miette::Diagnostic;

use crate::environment::EnvironmentError;
use crate::exit::Exit;
use crate::run::RunError;
use crate::scenario::problem::{Complaint, Problems};
use crate::shard::{FleetError, MeetingError};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Scenarios with problems: each knows its own places.
    Problems(Vec<Problems>),
    /// Anything else: place and fact in one sentence, and what to do.
    Message {
        exit: Exit,
        fact: String,
        hint: Option<String>,
    },
}

impl Failure {
    pub(crate) fn new(exit: Exit, fact: impl Into<String>) -> Self {
        Self::Message {
            exit,
            fact: fact.into(),
            hint: None,
        }
    }

    /// An error that says itself what to do about it.
    pub(crate) fn diagnosed(exit: Exit, error: &dyn Diagnostic) -> Self {
        Self::Message {
            exit,
            fact: error.to_string(),
            hint: error.help().map(|hint| hint.to_string()),
        }
    }

    /// A complaint about what the command line says at `place`.
    pub(crate) fn of(place: &str, complaint: Complaint) -> Self {
        let failure = Self::new(Exit::Usage, format!("{place}: {}", complaint.fact));
        match complaint.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    pub(crate) fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Message { exit, fact, .. } => Self::Message {
                exit,
                fact,
                hint: Some(text.into()),
            },
            Self::Problems(_) => self,
        }
    }

    /// The same end and hint with another fact.
    pub(crate) fn about(self, fact: impl Into<String>) -> Self {
        match self {
            Self::Message { exit, hint, .. } => Self::Message {
                exit,
                fact: fact.into(),
                hint,
            },
            Self::Problems(_) => self,
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Problems(_) => Exit::Usage,
            Self::Message { exit, .. } => *exit,
        }
    }

    /// Writes the failure as a person reads it.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Problems(files) => {
                for problems in files {
                    writeln!(out, "{problems}")?;
                }
                Ok(())
            }
            Self::Message { fact, hint, .. } => {
                writeln!(out, "error: {fact}")?;
                hint.as_ref()
                    .map_or(Ok(()), |hint| writeln!(out, " hint: {hint}"))
            }
        }
    }
}

/// The fact alone.
impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(files) => files.iter().try_for_each(|problems| problems.fmt(to)),
            Self::Message { fact, .. } => to.write_str(fact),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Problems(vec![problems])
    }
}

/// Output that cannot be written; a reader that went away (`harness list | head`) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Pass, "the reader of the output went away");
        }
        Self::new(Exit::Storage, format!("stdout: cannot be written: {error}"))
    }
}

impl From<MeetingError> for Failure {
    fn from(error: MeetingError) -> Self {
        let hint = error.hint();
        Self::new(Exit::Environment, error.to_string()).hint(hint)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let mut fact = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = cause.to_string();
            if !fact.contains(&text) {
                fact = format!("{fact}: {text}");
            }
            source = cause.source();
        }
        match error {
            RunError::Environment(EnvironmentError::Cancelled) => {
                Self::new(Exit::Interrupted, "interrupted before the load started")
            }
            RunError::Environment(cause) => {
                let exit = if matches!(cause, EnvironmentError::Out(_)) {
                    Exit::Storage
                } else {
                    Exit::Environment
                };
                let failure = Self::new(exit, fact);
                match cause.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
            RunError::Fleet(FleetError::Meeting(cause)) => cause.into(),
            RunError::Fleet(_) => Self::new(Exit::Environment, fact)
                .hint("its log or output says more; fewer --shards ask less of this machine"),
            RunError::Attack(error) if !error.is_exhaustion() => Self::new(Exit::Bug, fact),
            RunError::Attack(_) | RunError::Monitor(_) => Self::new(Exit::Environment, fact)
                .hint("raise the limit of processes (`ulimit -u`) or of addresses (`ulimit -v`)"),
        }
    }
}
