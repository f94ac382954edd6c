//! Memory that a flood took: given back to the system once it has ebbed away.
//!
//! **In:** how much the connections need, looked at now and then. **Out:** nothing; free memory that the
//! allocator keeps is the system's again.
//!
//! glibc gives back what lies at the end of a heap only, and one long-lived piece there keeps all the
//! memory below it.

use super::{held::Budget, places::Places};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// Looked at so often.
const EVERY: Duration = Duration::from_secs(2);
/// Looks without giving back after it was done, a minute of them: it walks the whole heap, and who allocates meanwhile waits.
const REST: u32 = 30;
/// Less is not worth it.
const WORTH_BYTES: usize = 4 << 20;
/// A connection that holds nothing back, with its task and its entries everywhere.
const CONNECTION_BYTES: usize = 3 << 10;

/// The most that was in use since memory was last given back.
#[derive(Debug, Default)]
struct Tide {
    high_bytes: usize,
}

impl Tide {
    /// Remembers how high it was.
    fn rises(&mut self, bytes: usize) {
        self.high_bytes = self.high_bytes.max(bytes);
    }

    /// Whether so much less is in use now that it is worth the while; `peak_bytes` were in the meantime.
    fn ebbs(&mut self, bytes: usize, peak_bytes: usize) -> bool {
        self.rises(peak_bytes.max(bytes));
        let ebbs = self.high_bytes - bytes >= WORTH_BYTES;
        if ebbs {
            self.high_bytes = bytes;
        }
        ebbs
    }
}

/// Looks after it until it is dropped.
pub(super) async fn give_back_after_floods(budget: &Budget, places: &Arc<Places>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut tide = Tide::default();
    let mut giving = JoinSet::new();
    let mut resting = 0;
    loop {
        ticks.tick().await;
        let (held, peak) = budget.held_and_peak();
        let connections = places.taken() * CONNECTION_BYTES;
        if resting > 0 {
            resting -= 1;
            tide.rises(peak.max(held) + connections);
        } else if tide.ebbs(held + connections, peak + connections) {
            resting = REST;
            giving.spawn_blocking(give_back);
            if let Some(Err(error)) = giving.join_next().await {
                tracing::warn!(%error, "no memory was given back");
            }
        }
    }
}

fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(
        unsafe_code,
        reason = "takes a number and touches free memory only; no crate offers it without"
    )]
    // SAFETY: malloc_trim(3) has no conditions; it locks the heaps it works on.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::Tide;

    #[test]
    fn memory_is_given_back_once_after_much_of_it_is_free() {
        let mut tide = Tide::default();
        let mut ebbs = |mib: usize| tide.ebbs(mib << 20, 0);
        assert!(!ebbs(100) && !ebbs(98), "little");
        assert!(ebbs(50));
        assert!(!ebbs(50) && !ebbs(47), "once");
        assert!(ebbs(40), "little by little");
        assert!(!ebbs(90));
        assert!(ebbs(0));
        assert!(tide.ebbs(0, 90 << 20), "a short one, too");
    }
}
