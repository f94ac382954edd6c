//! Which of the open connections a reset of a share of them hits.
//!
//! **In:** the numbers of the open connections, a share of them, the server's seed. **Out:** so many of the numbers, the same
//! ones for the same seed, proxy and number of the reset.

use crate::{
    Stream,
    chance::{Purpose, below, generator},
};
use std::collections::BTreeSet;

/// The share to the nearest whole connection, and one at least where one is open.
pub(super) fn some_of(
    open: Vec<u64>,
    share: f32,
    (seed, proxy, reset): (u64, &str, u64),
) -> BTreeSet<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a number of connections"
    )]
    let wanted = (open.len() as f64 * f64::from(share)).round().max(1.0) as usize;
    // No two resets spare the same ones for their numbers' sake.
    let lot = format!("reset_now {reset}");
    let draw = |connection: u64| {
        let purpose = Purpose {
            proxy,
            connection,
            stream: Stream::Upstream,
            toxic: &lot,
        };
        below(&mut generator(seed, &purpose), u64::MAX)
    };
    let mut drawn: Vec<(u64, u64)> = open.into_iter().map(|one| (draw(one), one)).collect();
    drawn.sort_unstable();
    let chosen = drawn.into_iter().take(wanted);
    chosen.map(|(_, connection)| connection).collect()
}

#[cfg(test)]
mod tests {
    use super::some_of;

    #[test]
    fn a_share_is_met_exactly_and_drawn_from_the_seed() {
        let open: Vec<u64> = (0..1_000).map(|place| place * 2).collect();
        let drawn = |share, of| some_of(open.clone(), share, of);
        let half = drawn(0.5, (7, "edge", 1));
        assert_eq!(half.len(), 500);
        assert_eq!(half, drawn(0.5, (7, "edge", 1)));
        for of in [(8, "edge", 1), (7, "other", 1), (7, "edge", 2)] {
            assert_ne!(half, drawn(0.5, of));
        }
        // Neither the first ones nor every other one: those that came in turns with others would all be hit or spared.
        let low = half.iter().filter(|number| **number < 1_000).count();
        assert!((200..300).contains(&low), "{low}");
        let every_other = half.iter().filter(|number| **number % 4 == 0).count();
        assert!((200..300).contains(&every_other), "{every_other}");
    }

    #[test]
    fn somebody_is_hit_where_anybody_is_there() {
        assert_eq!(some_of(vec![4, 5, 6], 0.01, (1, "edge", 1)).len(), 1);
        assert_eq!(some_of(vec![4, 5, 6], 0.99, (1, "edge", 1)).len(), 3);
        assert!(some_of(Vec::new(), 0.5, (1, "edge", 1)).is_empty());
    }
}
