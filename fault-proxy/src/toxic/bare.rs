//! The settings of a toxic that has none.

use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bare;

impl Bare {
    #[expect(clippy::unnecessary_wraps, reason = "the same shape for every kind")]
    pub(super) fn merged(self, _fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(self)
    }

    #[expect(clippy::unused_self, reason = "the same shape for every kind")]
    pub(super) fn attributes(self) -> Vec<(&'static str, i64)> {
        Vec::new()
    }
}
