//! This module says what "held *k* of *n*" proves.
//!
//! **In:** how many of how many trials held. **Out:** the lower end of the probability to hold.
//! **Source:** Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the
//! case of the binomial" (Biometrika 1934): exact, so it promises too little rather than too much.

use statrs::distribution::{Beta, ContinuousCDF};

/// The probability to hold is at least this, in `confidence` (one-sided, above 0 and below 1) of
/// all such series: for 3 of 3 at 0.95 it is 0.368. 0 where none held, none was tried, or the
/// numbers make no sense.
pub(crate) fn holds_at_least(held: u32, tried: u32, confidence: f64) -> f64 {
    let level = 1.0 - confidence;
    if held == 0 || held > tried || !(level > 0.0 && level < 1.0) {
        return 0.0;
    }
    if held == tried {
        return level.powf(1.0 / f64::from(tried));
    }
    let (held, broke) = (f64::from(held), f64::from(tried - held));
    Beta::new(held, broke + 1.0).map_or(0.0, |beta| beta.inverse_cdf(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn at_least(held: u32, tried: u32, confidence: f64, table: f64) {
        let found = holds_at_least(held, tried, confidence);
        assert!((found - table).abs() < 1e-4, "{found} {table}");
    }

    #[test]
    fn all_held_is_a_root_of_the_level() {
        at_least(1, 1, 0.95, 0.05);
        at_least(3, 3, 0.95, 0.3684);
        at_least(10, 10, 0.95, 0.7411);
        // The rule of three: about 1 - 3 / n.
        at_least(300, 300, 0.95, 0.9901);
    }

    /// R: `binom.test(k, n)$conf.int[1]`, two-sided 95 % and so one-sided 97.5 %.
    #[test]
    fn some_held_is_what_r_says() {
        at_least(8, 10, 0.975, 0.4439);
        at_least(5, 10, 0.975, 0.1871);
        at_least(1, 10, 0.975, 0.0025);
    }

    /// The end of the interval is where so many, or more, still hold by chance as often as the
    /// level says.
    #[test]
    fn the_end_is_where_chance_reaches_the_level() {
        let low = holds_at_least(18, 20, 0.95);
        let more: f64 = [(18, 190.0), (19, 20.0), (20, 1.0)]
            .into_iter()
            .map(|(held, ways)| ways * low.powi(held) * (1.0 - low).powi(20 - held))
            .sum();
        assert!((more - 0.05).abs() < 1e-9, "{low} {more}");
    }

    #[test]
    fn nothing_proves_nothing() {
        assert_eq!(
            [
                (0, 5, 0.95),
                (0, 0, 0.95),
                (4, 3, 0.95),
                (3, 3, f64::NAN),
                (3, 3, 1.0)
            ]
            .map(|(held, tried, confidence)| holds_at_least(held, tried, confidence).to_bits()),
            [0; 5]
        );
    }
}
