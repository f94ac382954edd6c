//! What every target that writes to sockets has in common.

use std::sync::{Arc, atomic::AtomicBool};

/// Makes of a write to a closed socket an error, as the programs themselves have it: what starts before `main` in
/// Rust sees to that, and here `main` is libFuzzer's.
///
/// # Panics
///
/// The system takes no handler for SIGPIPE.
pub fn survive_closed_sockets() {
    let closed = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, closed).expect("a handler");
}
