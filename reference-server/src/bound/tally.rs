//! How many each has at once, with a bound for each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of those who have at least one.
#[derive(Debug)]
pub(crate) struct Tally<K: Eq + Hash + Clone> {
    most: usize,
    counts: Mutex<HashMap<K, usize>>,
}

/// One of somebody's places; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash + Clone> {
    tally: Arc<Tally<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// `most` for each.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            counts: Mutex::default(),
        })
    }

    /// A place for `key`, or nothing where it has its number.
    pub(crate) fn place(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut counts = self.lock();
        let count = counts.get(&key).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        drop(counts);
        let tally = Arc::clone(self);
        Some(Place { tally, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.tally.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_number_and_a_place_given_back_can_be_had_again() {
        let tally = Tally::new(2);
        let (one, _two) = (tally.place(7).unwrap(), tally.place(7).unwrap());
        assert!(tally.place(7).is_none());
        let other = tally.place(8).unwrap();
        drop((one, other));
        assert!(tally.place(7).is_some());
        assert_eq!(tally.lock().len(), 1, "who has none is not remembered");
    }
}
