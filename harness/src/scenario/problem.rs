//! This module holds a complaint about a scenario: where, what, and what to do.
//!
//! **In:** facts found while reading or resolving a scenario. **Out:** lines for a person, all
//! problems of a file together, in the order of the file.

use std::fmt;
use std::sync::Arc;

/// Most problems kept of one file; what lies behind them is counted.
const PROBLEMS_MAX: usize = 100;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A line of the scenario file, from 1.
    Line(u32),
    /// A flag of the command line, without what may be a secret: `--set load.message.every`.
    Flag(Arc<str>),
    /// A line, from 1, of another file: the protocol that a scenario names.
    Protocol(Arc<str>, u32),
}

impl Place {
    pub(crate) fn flag(text: &str) -> Self {
        Self::Flag(Arc::from(text))
    }

    /// A line of the protocol `name`.
    pub(crate) fn of(name: &Arc<str>, line: u32) -> Self {
        Self::Protocol(Arc::clone(name), line)
    }

    /// The line, or 0 for what did not come from the file.
    pub(crate) fn line(&self) -> u32 {
        match self {
            Self::Line(line) => *line,
            Self::Flag(_) | Self::Protocol(..) => 0,
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located<T> {
    pub value: T,
    pub at: Place,
}

impl<T> Located<T> {
    pub(crate) const fn new(value: T, at: Place) -> Self {
        Self { value, at }
    }
}

/// What kind of complaint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The text is not TOML.
    Syntax,
    /// The text is not TOML where a table begins: which key belongs to which table is unknown.
    BrokenHeader,
    /// Something that has to be written was not found.
    Missing,
    /// What is there is wrong.
    Wrong,
}

/// A fact and what to do about it, before it is known where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub cause: Cause,
    pub fact: String,
    pub hint: Option<String>,
}

impl Complaint {
    pub(crate) fn new(fact: impl Into<String>) -> Self {
        Self {
            cause: Cause::Wrong,
            fact: fact.into(),
            hint: None,
        }
    }

    /// A key that has to be written was not found.
    pub(crate) fn missing(key: &str) -> Self {
        Self {
            cause: Cause::Missing,
            ..Self::new(format!("`{key}` is missing"))
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub at: Place,
    /// Path of the field, `load.message.every`; empty where the file as a whole is meant.
    pub field: String,
    pub cause: Cause,
    pub fact: String,
    pub hint: Option<String>,
}

/// Everything that is wrong with one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problems {
    file: String,
    list: Vec<Problem>,
    dropped: usize,
    /// What is read all the same, and should be written otherwise: where, and how.
    notes: Vec<(Place, String)>,
}

impl Problems {
    /// No problems, so far, in `file` (its path as the user gave it).
    pub(crate) fn none(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
            dropped: 0,
            notes: Vec::new(),
        }
    }

    /// Adds a complaint, unless the same one stands there already or the list is full.
    pub(crate) fn add(&mut self, at: &Place, field: impl Into<String>, complaint: Complaint) {
        let problem = Problem {
            at: at.clone(),
            field: field.into(),
            cause: complaint.cause,
            fact: complaint.fact,
            hint: complaint.hint,
        };
        if self.list.contains(&problem) {
            return;
        }
        if self.list.len() == PROBLEMS_MAX {
            self.dropped += 1;
        } else {
            self.list.push(problem);
        }
    }

    /// Adds what is no problem, and should be written otherwise.
    pub(crate) fn note(&mut self, at: &Place, field: &str, text: &str) {
        if self.notes.len() < PROBLEMS_MAX {
            self.notes.push((at.clone(), format!("{field}: {text}")));
        }
    }

    /// What should be written otherwise, a line each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let line = |(at, text): &(Place, String)| match at {
            Place::Line(line) => format!("{}:{line}: {text}", self.file),
            Place::Flag(flag) => format!("{flag}: {text}"),
            Place::Protocol(name, line) => format!("protocol {name}:{line}: {text}"),
        };
        self.notes.iter().map(line).collect()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.list.len() + self.dropped
    }

    /// The problems found so far, in the order in which they were found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// The value if nothing is wrong, else the problems in the order of the file.
    pub(crate) fn or_else<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => {
                self.drop_consequences();
                self.list.sort_by(|left, right| left.at.cmp(&right.at));
                Err(self)
            }
        }
    }

    /// Where the text is not TOML, other complaints may only follow from that: those on the same
    /// line, those about something missing, and all where the tables themselves are broken.
    fn drop_consequences(&mut self) {
        let is_syntax =
            |problem: &Problem| matches!(problem.cause, Cause::Syntax | Cause::BrokenHeader);
        let broken: Vec<Place> = self
            .list
            .iter()
            .filter(|problem| is_syntax(problem))
            .map(|problem| problem.at.clone())
            .collect();
        if broken.is_empty() {
            return;
        }
        let headers = self
            .list
            .iter()
            .any(|problem| problem.cause == Cause::BrokenHeader);
        let mut seen = Vec::new();
        self.list.retain(|problem| {
            if is_syntax(problem) {
                // One line, one slip: the parser stumbles over the rest of the line as well.
                let first = !seen.contains(&problem.at);
                seen.push(problem.at.clone());
                return first;
            }
            !headers && problem.cause == Cause::Wrong && !broken.contains(&problem.at)
        });
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.list.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            match &problem.at {
                Place::Line(line) => write!(f, "error: {}:{line}: ", self.file)?,
                Place::Flag(flag) => write!(f, "error: {flag}: ")?,
                Place::Protocol(name, line) => write!(f, "error: protocol {name}:{line}: ")?,
            }
            if !problem.field.is_empty() {
                write!(f, "{}: ", problem.field)?;
            }
            write!(f, "{}", problem.fact)?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n hint: {hint}")?;
            }
        }
        if self.dropped > 0 {
            write!(
                f,
                "\nerror: {}: {} further problems",
                self.file, self.dropped
            )?;
        }
        Ok(())
    }
}
