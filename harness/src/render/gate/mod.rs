//! This module turns a comparison into what people and machines read.
//!
//! **In:** one [`Decision`]. **Out:** text for a terminal, and files by [`Artifact`]. As for a run, nothing is computed here.

pub(crate) mod annotation;
mod cells;
mod html;
mod json;
mod junit;
pub(crate) mod markdown;
mod quality;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;

use super::renderer::RenderError;
use crate::gate::comparison::{Decision, Outcome};

/// The word of an outcome, as the badge of its page has it.
pub(crate) const fn word_of(outcome: Outcome) -> &'static str {
    cells::outcome(outcome).word
}

/// A file of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Artifact {
    /// gate.json
    Json,
    /// gate.html
    Html,
    /// summary.md, the comment of a pull request
    Md,
    /// junit.xml
    Junit,
    /// gl-code-quality-report.json, as GitLab reads it
    Codequality,
}

impl Artifact {
    pub(crate) const ALL: [Self; 5] = [
        Self::Json,
        Self::Md,
        Self::Junit,
        Self::Codequality,
        Self::Html,
    ];

    /// The name of the file.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Json => "gate.json",
            Self::Html => "gate.html",
            Self::Md => "summary.md",
            Self::Junit => "junit.xml",
            Self::Codequality => "gl-code-quality-report.json",
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// [`RenderError`] where the harness is wrong; no decision is a reason for one.
    pub(crate) fn render(self, decision: &Decision) -> Result<Vec<u8>, RenderError> {
        match self {
            Self::Json => json::bytes(decision),
            Self::Html => html::bytes(decision),
            Self::Md => Ok(markdown::text(decision).into_bytes()),
            Self::Junit => junit::bytes(decision).map_err(|source| RenderError::Write {
                file: Self::Junit.file(),
                source,
            }),
            Self::Codequality => quality::bytes(decision),
        }
    }
}
