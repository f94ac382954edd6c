//! `noop`: everything passes.

use super::kind::{Passing, Reach, Settings};
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noop;

impl Settings for Noop {
    type Active = Passing;
    const REACH: Reach = Reach::Stream;

    fn merged(self, _: Fields<'_>) -> Result<Self, Refusal> {
        Ok(self)
    }

    fn attributes(self) -> Vec<(&'static str, i64)> {
        Vec::new()
    }
}
