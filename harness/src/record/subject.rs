//! This module names what an example in a report shows: a broken promise, or a session worth more than its numbers.
//!
//! **In:** a subject. **Out:** the text of the example, which begins with it, and from such a text the subject again.

use crate::scenario::expectation::Outcome;

/// What an example shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A message or frame that broke a promise.
    Promise(Outcome),
    GaveUp,
    Cut,
    Slowest,
}

impl Subject {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Promise(outcome) => outcome.words(),
            Self::GaveUp => "the first client that gave up",
            Self::Cut => "the first socket that was cut",
            Self::Slowest => "the slowest answer",
        }
    }

    /// The text of an example: `lost: no complete`.
    pub(crate) fn told(self, detail: &str) -> String {
        format!("{}: {detail}", self.text())
    }

    /// The subject of such a text.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let name = text.split_once(':').map_or(text, |(name, _)| name);
        let promises = Outcome::ALL.into_iter().map(Self::Promise);
        let mut all = promises.chain([Self::GaveUp, Self::Cut, Self::Slowest]);
        all.find(|subject| subject.text() == name)
    }
}
