//! What may wait for one socket whose peer reads slowly.

use std::time::Duration;

/// The bounds of one outbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxBounds {
    /// Frames.
    pub(crate) frames: usize,
    /// Bytes, of which every frame costs a few more than it has.
    pub(crate) bytes: usize,
    /// Bytes of all sockets of the user.
    pub(crate) user_bytes: usize,
    /// Age of a frame, and how long an outbox may stay full.
    pub(crate) age: Duration,
}
