//! This module counts the frames that came while something else was waited for.

use crate::account::quoted;

/// Frames that came while something else was waited for.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub frames: u32,
    /// The beginning of the first.
    pub first: String,
}

impl Passed {
    pub(super) fn note(&mut self, text: &str) {
        if self.frames == 0 {
            self.first = quoted(text.as_bytes());
        }
        self.frames = self.frames.saturating_add(1);
    }
}
