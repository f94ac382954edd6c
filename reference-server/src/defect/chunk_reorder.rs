//! Row 24: chunks of one answer arrive out of order.
//!
//! Asked where the worker picks the chunk to emit, in `worker::answer`: the first two chunks of the
//! answer change places, each with its own `seq`. Needs answers of two chunks or more.

use super::{Entry, Share};

pub(super) const ENTRY: Entry = Entry {
    row: 24,
    name: "chunk-reorder",
    wrong: "two chunks of an answer arrive in the wrong order",
    seen: "an answer reads wrong in the middle",
    rate: Some(1.0 / 100.0),
};

/// The switch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ChunkReorder(Share);

impl ChunkReorder {
    pub(super) fn new(share: Share) -> Self {
        Self(share)
    }

    /// Which chunk to emit where `turn` would be due, of `chunks` in all.
    pub(crate) fn pick(self, task: u64, turn: u32, chunks: u32) -> u32 {
        if turn < 2 && chunks >= 2 && self.0.holds(task) {
            1 - turn
        } else {
            turn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_chunks_change_places_and_none_is_lost() {
        let on = ChunkReorder::new(Share::of(1.0));
        let order: Vec<u32> = (0..4).map(|turn| on.pick(9, turn, 4)).collect();
        assert_eq!(order, [1, 0, 2, 3]);
        assert_eq!(on.pick(9, 0, 1), 0);
        assert_eq!(ChunkReorder::default().pick(9, 0, 4), 0);
    }
}
