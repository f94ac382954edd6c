//! This module turns the one seed of a run into independent streams of random numbers.
//!
//! **In:** the plan's seed, what the numbers are for, and whom. **Out:** a [`Stream`]: the same
//! three give the same numbers, on every machine and whatever the other streams are asked for.
//!
//! **Source:** Steele, Lea, Flood: `SplitMix64` (mixing); Blackman and Vigna: xoshiro256++.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// What a stream decides. Each purpose of a client has a stream of its own, so that a client that
/// reconnects once more than in another run still sends at the same moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Intended send times.
    Arrivals = 1,
    /// When a reconnector ends its session.
    Leaving = 2,
    /// Jitter of backoffs: how many are drawn depends on the server.
    Backoff = 3,
    /// Length of a message's text.
    Text = 4,
    /// Jitter of further attempts at a message.
    Retry = 5,
    /// What a trial leaves to chance, such as the age of a token.
    Trial = 6,
    /// Which side of a pair runs first.
    Order = 7,
    /// How a history is shuffled, to see what chance makes of it.
    Permutation = 8,
    /// Noise of synthetic probes, and what a bootstrap draws. No command leaves an interval to
    /// chance, so only tests ask.
    #[cfg(test)]
    Bootstrap = 9,
}

/// Random numbers that belong to one client and one purpose.
#[derive(Clone, Debug)]
pub(crate) struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of `who` (a client's number) for `purpose`.
    pub(crate) fn new(seed: u64, purpose: Purpose, who: u32) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(mix(seed, purpose, who)))
    }

    /// Evenly in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits: what a double holds exactly.
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly in `0..bound`; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product: off from even by at most bound / 2^64.
        let product = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(product >> u64::BITS).unwrap_or(0)
    }

    /// A gap of a Poisson process with this mean, rounded down to whole microseconds.
    pub(crate) fn exponential_us(&mut self, mean_us: u64) -> u64 {
        let gap = -(1.0 - self.unit()).ln() * mean_us as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and below 37 times the mean"
        )]
        let gap = gap as u64;
        gap
    }
}

/// Length of a text in characters, evenly in `min..=max`; the same for every attempt at a message.
pub(crate) fn text_length(seed: u64, who: u32, message: u32, min: u32, max: u32) -> u32 {
    let word = mix(
        mix(seed, Purpose::Text, who),
        Purpose::Text,
        message.wrapping_add(1),
    );
    let span = u64::from(max.saturating_sub(min)) + 1;
    let offset = u64::try_from((u128::from(word) * u128::from(span)) >> u64::BITS).unwrap_or(0);
    min + u32::try_from(offset).unwrap_or(0)
}

/// One well-mixed word from three: two rounds of `SplitMix64`'s finaliser.
fn mix(seed: u64, purpose: Purpose, who: u32) -> u64 {
    let mut word = seed;
    for part in [purpose as u64, u64::from(who)] {
        word = word
            .wrapping_add(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(part.wrapping_mul(0xD129_0B26_88CC_0F65));
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(seed: u64, purpose: Purpose, who: u32) -> Vec<u64> {
        let mut stream = Stream::new(seed, purpose, who);
        (0..4).map(|_| stream.below(u64::MAX)).collect()
    }

    #[test]
    fn neighbours_and_purposes_do_not_share_numbers() {
        let base = first(7, Purpose::Arrivals, 0);
        assert_eq!(base, first(7, Purpose::Arrivals, 0));
        assert_ne!(base, first(7, Purpose::Arrivals, 1));
        assert_ne!(base, first(7, Purpose::Leaving, 0));
        assert_ne!(base, first(8, Purpose::Arrivals, 0));
    }

    #[test]
    fn exponential_gaps_have_the_mean_asked_for() {
        let mut stream = Stream::new(1, Purpose::Arrivals, 3);
        let sum: u64 = (0..20_000).map(|_| stream.exponential_us(1_000_000)).sum();
        // The standard error of this mean is 0.7 %.
        assert!((sum as f64 / 20_000.0 / 1e6 - 1.0).abs() < 0.03, "{sum}");
    }

    proptest! {
        #[test]
        fn draws_stay_below_their_bound(seed: u64, who: u32, bound: u64) {
            let mut stream = Stream::new(seed, Purpose::Backoff, who);
            let draw = stream.below(bound);
            prop_assert!(draw < bound.max(1));
            prop_assert!((0.0..1.0).contains(&stream.unit()));
        }

        #[test]
        fn a_text_is_as_long_as_the_plan_allows(seed: u64, who: u32, message: u32, min in 1_u32..5_000, more in 0_u32..5_000) {
            let length = text_length(seed, who, message, min, min + more);
            prop_assert!((min..=min + more).contains(&length));
            prop_assert_eq!(length, text_length(seed, who, message, min, min + more));
        }
    }
}
