//! Reads and prints time, in one place.
//!
//! **Units:** `*_ms` and `*_us` are whole milli- and microseconds; `unix_*` count from 1970,
//! `since_start_*` from the first use of the clock in this process and never go backwards.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// Milliseconds since the first use of the clock, starting at 1 so that 0 can mean "never".
pub(crate) fn since_start_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    millis(elapsed) + 1
}

/// Microseconds since 1970.
pub(crate) fn unix_us() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// Seconds since 1970.
pub(crate) fn unix_s() -> u64 {
    unix_us() / 1_000_000
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as RFC 3339 in UTC with whole seconds; years after 9999 are printed as the last of
/// them.
pub(crate) fn rfc3339(unix_s: u64) -> String {
    const LAST_PRINTABLE_S: u64 = 253_402_300_799;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s.min(LAST_PRINTABLE_S));
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_form_of_the_contract() {
        assert_eq!(rfc3339(1_795_248_000), "2026-11-21T08:00:00Z");
    }

    #[test]
    fn a_moment_past_year_9999_does_not_panic() {
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
