//! Row 24: chunks of one answer arrive out of order.
//!
//! Asked where the worker picks the chunk to emit, in `worker::answer`: the first two chunks of the
//! answer change places, each with its own `seq`. Needs answers of two chunks or more.

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 24,
    name: "chunk-reorder",
    wrong: "two chunks of an answer arrive in the wrong order",
    seen: "an answer reads wrong in the middle",
    rate: Some(1.0 / 100.0),
};

impl Defects {
    /// Which chunk to emit where `turn` would be due, of `chunks` in all.
    pub(crate) fn pick_chunk(&self, task: u64, turn: u32, chunks: u32) -> u32 {
        if turn < 2 && chunks >= 2 && self.strikes(&SPEC, task) {
            1 - turn
        } else {
            turn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Share;
    use super::*;

    #[test]
    fn the_first_two_chunks_change_places_and_none_is_lost() {
        let mut on = Defects::default();
        assert_eq!(on.pick_chunk(9, 0, 4), 0);
        on.turn_on(&SPEC, Share::ALL);
        let order: Vec<u32> = (0..4).map(|turn| on.pick_chunk(9, turn, 4)).collect();
        assert_eq!(order, [1, 0, 2, 3]);
        assert_eq!(on.pick_chunk(9, 0, 1), 0);
    }
}
