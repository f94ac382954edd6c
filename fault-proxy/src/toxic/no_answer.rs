//! `no_answer`: new connections are accepted, and nothing happens until the toxic is gone.
//!
//! An extension.

use super::kind::{Attributes, Opening, Passing, Reach, Settings};
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoAnswer;

impl Settings for NoAnswer {
    type Active = Passing;
    const REACH: Reach = Reach::Opening;
    const IS_EXTENSION: bool = true;

    fn merged(self, _: Fields<'_>) -> Result<Self, Refusal> {
        Ok(self)
    }

    fn attributes(self) -> Attributes {
        Vec::new()
    }

    fn opening(self) -> Option<Opening> {
        Some(Opening::Never)
    }
}
