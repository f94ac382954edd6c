//! This module is a set of members of a conversation, by their places in it.

/// Some members of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Members(Box<[u64]>);

impl Members {
    pub(super) fn none(of: usize) -> Self {
        Self(vec![0; of.div_ceil(64)].into())
    }

    /// `false`: it is there already.
    pub(super) fn add(&mut self, member: u32) -> bool {
        let Some((word, bit)) = self.bit(member) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// `false`: it was not there.
    pub(super) fn remove(&mut self, member: u32) -> bool {
        let Some((word, bit)) = self.bit(member) else {
            return false;
        };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    /// Their places, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        let words = (0..).zip(&self.0);
        words.flat_map(|(nth, word): (u32, &u64)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 != 0);
            bits.map(move |bit| nth * 64 + bit)
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn bit(&mut self, member: u32) -> Option<(&mut u64, u64)> {
        let word = self.0.get_mut(member as usize / 64)?;
        Some((word, 1_u64 << (member % 64)))
    }
}
