//! This module names the ways in which a run is shown.
//!
//! **In / Out:** nothing; words that the command line and the views share.

/// Time between two looks at the counters.
pub(super) const LOOK_EVERY_US: u64 = 250_000;

/// What the person at the terminal sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// A block that is redrawn in place.
    Block(Style),
    /// A line every few seconds and one per fault stamp: for logs.
    Lines,
    Quiet,
}

/// How the block is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub glyphs: Glyphs,
    pub color: bool,
}

/// What the lanes of the block are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyphs {
    Blocks,
    Ascii,
}
