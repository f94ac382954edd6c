//! Memory that is free and that the allocator keeps: given back to the system once a flood has
//! ebbed away.
//!
//! glibc gives back what lies at the end of a heap only, and one long-lived piece there keeps
//! everything below it.

use std::fs;
use std::time::{Duration, Instant};

/// It is not looked for more often: it costs milliseconds.
const EVERY: Duration = Duration::from_secs(2);
/// Less is not worth it.
const WORTH_BYTES: usize = 4 << 20;

/// How much was in use of late, and how much is.
#[derive(Debug)]
pub(crate) struct Tide {
    high_bytes: usize,
    looked: Instant,
}

impl Tide {
    /// Nothing yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            high_bytes: 0,
            looked: now,
        }
    }

    /// Notes what is in use. `true` where it is much less than it was.
    pub(crate) fn ebbs(&mut self, bytes: usize, now: Instant) -> bool {
        self.high_bytes = self.high_bytes.max(bytes);
        if now.duration_since(self.looked) < EVERY {
            return false;
        }
        self.looked = now;
        let ebbs = self.high_bytes - bytes >= WORTH_BYTES;
        if ebbs {
            self.high_bytes = bytes;
        }
        ebbs
    }
}

/// Of the address space, in bytes; 0 where `/proc` does not tell.
pub(crate) fn addresses_in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib << 10)
}

/// Gives back what is free.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "takes a number and touches free memory only; no crate offers it without"
    )]
    // SAFETY: malloc_trim(3) has no conditions; it locks the heaps it works on.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_much_less_is_in_use() {
        let start = Instant::now();
        let mut tide = Tide::new(start);
        let mut after_s = 0;
        let mut ebbs = |mib: usize, seconds: u64| {
            after_s += seconds;
            tide.ebbs(mib << 20, start + Duration::from_secs(after_s))
        };
        assert!(!ebbs(100, 2) && !ebbs(98, 2));
        assert!(!ebbs(50, 1), "not so soon");
        assert!(ebbs(50, 1));
        assert!(!ebbs(50, 2) && !ebbs(47, 2), "once, and not for little");
        assert!(ebbs(40, 2));
    }
}
