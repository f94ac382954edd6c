//! What the program says when something did not work: place and fact, and what to do about it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// It was asked for something that does not work here and now.
const FAILED: u8 = 1;
/// It was asked in a way that it does not understand; what Go's `flag` package ends with.
const USAGE: u8 = 2;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// A fact, with its place in front, and a hint.
    Fact {
        fact: String,
        hint: Option<String>,
        code: u8,
    },
    /// What `clap` says; help and version among it.
    Words(clap::Error),
    /// Whoever reads the output has gone.
    ReaderGone,
}

impl Failure {
    pub(super) fn new(fact: impl Into<String>) -> Self {
        Self::Fact {
            fact: fact.into(),
            hint: None,
            code: FAILED,
        }
    }

    /// A command line that means nothing.
    pub(super) fn usage(fact: impl Into<String>) -> Self {
        Self::Fact {
            fact: fact.into(),
            hint: None,
            code: USAGE,
        }
    }

    #[must_use]
    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Fact { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Says it; answers how the process ends.
    pub(super) fn tell(self, to: &mut impl Write) -> ExitCode {
        let (told, code) = match &self {
            Self::Fact { fact, hint, code } => {
                let hint = hint
                    .as_ref()
                    .map_or_else(String::new, |hint| format!(" hint: {hint}\n"));
                (write!(to, "error: {fact}\n{hint}"), *code)
            }
            Self::Words(words) if words.use_stderr() => (words.print(), USAGE),
            Self::Words(words) => (words.print(), 0),
            Self::ReaderGone => (Ok(()), 0),
        };
        // Where nobody can be told, the code still says it.
        drop(told);
        ExitCode::from(code)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Words(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::new(format!("stdout: cannot be written: {error}"))
    }
}
