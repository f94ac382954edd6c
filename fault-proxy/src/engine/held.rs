//! The bytes that all connections of one server hold together.
//!
//! **In:** what each direction holds, as it changes. **Out:** how much more it may read.
//!
//! A direction may hold a quarter of what is still free: one alone gets all that its toxics can use,
//! many share, and none waits for another to give back, because whoever holds nothing may
//! always read a little. Beyond that the kernel's buffers fill and the sender waits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What a direction may hold of the bytes that are free, one part in so many.
const PART: usize = 4;
/// Read at once by a direction that holds nothing while nothing is free.
const LITTLE_BYTES: usize = 4 << 10;

/// All of it.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    held: AtomicUsize,
    /// The most that was held since somebody asked.
    peak: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// What is held, and the most that was since this was last asked.
    pub(super) fn held_and_peak(&self) -> (usize, usize) {
        let held = self.held.load(Ordering::Relaxed);
        (held, self.peak.swap(held, Ordering::Relaxed).max(held))
    }

    fn add(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(held, Ordering::Relaxed);
        }
    }
}

/// One direction's part, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// This direction now holds so many.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.add(bytes - self.bytes);
        } else if bytes < self.bytes {
            let given_back = self.bytes - bytes;
            self.budget.held.fetch_sub(given_back, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// How much it may read now, of `wanted`.
    pub(super) fn allows(&self, wanted: usize) -> usize {
        let held = self.budget.held.load(Ordering::Relaxed);
        let free = self.budget.bytes_max.saturating_sub(held);
        if self.bytes < free / PART {
            wanted
        } else if self.bytes == 0 {
            wanted.min(LITTLE_BYTES)
        } else {
            0
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_hold_no_more_than_the_budget_and_a_little_each() {
        const READ: usize = 32 << 10;
        let budget = Arc::new(Budget::new(8 << 20));
        let mut all: Vec<Held> = (0..300).map(|_| Held::new(Arc::clone(&budget))).collect();
        let mut grew = true;
        while grew {
            grew = false;
            for held in &mut all {
                let allowed = held.allows(READ);
                held.set(held.bytes + allowed);
                grew |= allowed > 0;
            }
        }
        let held = budget.held.load(Ordering::Relaxed);
        assert!(
            held <= budget.bytes_max + all.len() * LITTLE_BYTES,
            "{held}"
        );
        assert!(all.iter().all(|held| held.bytes > 0), "none is shut out");
        all[0].set(0);
        assert!(all[0].allows(READ) > 0, "who has written all reads on");
        drop(all);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
