//! All open sockets of this process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conn::Conn;

/// The sockets by number.
pub(crate) struct Registry {
    limit: usize,
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Arc<Conn>>>,
}

impl Registry {
    /// At most `limit` sockets.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            next: AtomicU64::new(1),
            all: Mutex::default(),
        }
    }

    /// A number nobody else has.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a socket; `false` where there are too many.
    pub(crate) fn add(&self, conn: &Arc<Conn>) -> bool {
        let mut all = self.lock();
        if all.len() >= self.limit {
            return false;
        }
        all.insert(conn.id, Arc::clone(conn));
        true
    }

    /// Takes a socket out.
    pub(crate) fn remove(&self, id: u64) {
        self.lock().remove(&id);
    }

    /// Whether the limit is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().len() >= self.limit
    }

    /// Puts every socket into `target`, which is emptied first.
    pub(crate) fn copy_to(&self, target: &mut Vec<Arc<Conn>>) {
        target.clear();
        target.extend(self.lock().values().map(Arc::clone));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Conn>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
