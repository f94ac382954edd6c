//! The buffer reads go into: one per thread, whatever the number of connections.
//!
//! A connection reads and forwards without giving the thread away in between, so it never needs a
//! buffer of its own; only what the peer does not take at once is copied.

use std::cell::RefCell;

/// Read at once at most; the size of a real Toxiproxy's reads, which `bandwidth` cuts up.
pub(super) const READ_BYTES_MAX: usize = 32 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with this thread's buffer. Must not be nested.
pub(super) fn with<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(READ_BYTES_MAX, 0);
        work(buffer)
    })
}
