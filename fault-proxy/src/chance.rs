//! Random draws that can be repeated.
//!
//! **In:** the server's seed and what the draw is for. **Out:** the same stream of numbers every
//! time: each toxic of each connection has its own, so that neither other connections nor other
//! toxics shift it.

use crate::Stream;
use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};

/// What a stream of random numbers belongs to.
pub(crate) struct Purpose<'a> {
    pub(crate) proxy: &'a str,
    /// Connections of a proxy are numbered from 0 in the order they are accepted.
    pub(crate) connection: u64,
    pub(crate) stream: Stream,
    pub(crate) toxic: &'a str,
}

/// The random numbers for one purpose.
pub(crate) fn generator(seed: u64, purpose: &Purpose<'_>) -> Xoshiro256PlusPlus {
    // FNV-1a; a zero byte ends each name, which no name can imitate across fields.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut absorb = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    absorb(&seed.to_le_bytes());
    absorb(&purpose.connection.to_le_bytes());
    for name in [purpose.proxy, purpose.stream.name(), purpose.toxic] {
        absorb(name.as_bytes());
        absorb(&[0]);
    }
    Xoshiro256PlusPlus::seed_from_u64(hash)
}

/// A whole number in `0..bound`; 0 if the bound is 0.
pub(crate) fn below(generator: &mut Xoshiro256PlusPlus, bound: u64) -> u64 {
    let product = u128::from(generator.next_u64()) * u128::from(bound);
    u64::try_from(product >> 64).unwrap_or(0)
}

/// A ratio in `0..1`.
pub(crate) fn ratio(generator: &mut Xoshiro256PlusPlus) -> f32 {
    const STEPS: u64 = 1 << 24;
    below(generator, STEPS) as f32 / STEPS as f32
}

/// The same, in steps too small for any share that somebody asks for.
pub(crate) fn wide_ratio(generator: &mut Xoshiro256PlusPlus) -> f64 {
    const STEPS: u64 = 1 << 53;
    below(generator, STEPS) as f64 / STEPS as f64
}

#[cfg(test)]
mod tests {
    use super::{Purpose, below, generator, ratio};
    use crate::Stream;

    fn first(seed: u64, connection: u64, stream: Stream) -> u64 {
        let purpose = Purpose {
            proxy: "redis",
            connection,
            stream,
            toxic: "slow",
        };
        below(&mut generator(seed, &purpose), u64::MAX)
    }

    #[test]
    fn the_same_purpose_draws_the_same_and_another_one_differs() {
        let drawn = first(7, 3, Stream::Upstream);
        assert_eq!(drawn, first(7, 3, Stream::Upstream));
        assert_ne!(drawn, first(8, 3, Stream::Upstream));
        assert_ne!(drawn, first(7, 4, Stream::Upstream));
        assert_ne!(drawn, first(7, 3, Stream::Downstream));
    }

    #[test]
    fn ratios_are_spread_over_zero_to_one() {
        let purpose = Purpose {
            proxy: "p",
            connection: 0,
            stream: Stream::Upstream,
            toxic: "t",
        };
        let mut generator = generator(1, &purpose);
        let drawn: Vec<f32> = (0..10_000).map(|_| ratio(&mut generator)).collect();
        assert!(drawn.iter().all(|ratio| (0.0..1.0).contains(ratio)));
        let below_a_tenth = drawn.iter().filter(|ratio| **ratio < 0.1).count();
        assert!((800..1_200).contains(&below_a_tenth), "{below_a_tenth}");
    }
}
