//! `noop`: everything passes.

use super::kind::{Attributes, Passing, Reach, Settings};
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noop;

impl Settings for Noop {
    type Active = Passing;
    const REACH: Reach = Reach::Stream;

    fn merged(self, _: Fields<'_>) -> Result<Self, Refusal> {
        Ok(self)
    }

    fn attributes(self) -> Attributes {
        Vec::new()
    }
}
