//! This module says what a test could have found: the smallest change that it reports in 95 of 100 cases.
//!
//! **In:** the noise from run to run and how the test decides. **Out:** a change, as a logarithm.
//!
//! **Method.** A change is reported when its estimate is past the limit and past the quantile of t times the standard
//! error that was *seen*. The estimate and what is seen of the noise are independent, so the chance is a mean over the
//! distribution of the seen noise. Where the noise itself is known by few runs only, its upper bound is taken: a
//! promise that holds nine times in ten is worth more than one that holds every other time.

use super::distribution::{chi_square_quantile, normal_below, t_quantile};
use super::estimate::Design;
use super::spread::Spread;

/// How often the smallest change must be found.
const FOUND: f64 = 0.95;
/// How often the true noise is below what is taken for it.
const NOISE_BELOW: f64 = 0.9;
/// Points of the distribution of the seen noise.
const POINTS: u32 = 64;
/// Steps by which the change is closed in on: 2^-40 of the first.
const HALVINGS: u32 = 40;
/// A larger change (e^6: 400-fold) is not looked for.
const CHANGE_MAX: f64 = 6.0;

/// How a test decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Test {
    pub design: Design,
    /// How often it may report a change where there is none, one-sided.
    pub level: f64,
    /// What the estimate must reach besides, as a logarithm.
    pub limit: f64,
}

/// What is seen of a noise of 1, at even steps of its distribution.
fn seen(degrees: f64) -> Vec<f64> {
    let point = |point: u32| {
        let below = (f64::from(point) + 0.5) / f64::from(POINTS);
        (chi_square_quantile(below, degrees) / degrees).sqrt()
    };
    (0..POINTS).map(point).collect()
}

/// The smallest change, as a logarithm, that the test finds in 95 of 100 cases; `None` where that is none of any use.
pub(crate) fn smallest_found(test: &Test, noise: Spread) -> Option<f64> {
    let known = chi_square_quantile(1.0 - NOISE_BELOW, noise.degrees) / noise.degrees;
    let deviation = noise.deviation / known.sqrt();
    let error = deviation * test.design.error_factor();
    if !error.is_finite() {
        return None;
    }
    let error = error.max(f64::MIN_POSITIVE);
    let degrees = test.design.degrees();
    let quantile = t_quantile(1.0 - test.level, degrees);
    let seen = seen(degrees);
    // The chance that a true change is reported.
    let chance = |change: f64| {
        let at = |seen: &f64| {
            let needed = (quantile * seen * error).max(test.limit);
            normal_below((change - needed) / error)
        };
        seen.iter().map(at).sum::<f64>() / seen.len() as f64
    };
    if chance(CHANGE_MAX) < FOUND {
        return None;
    }
    let (mut low, mut high) = (0.0, CHANGE_MAX);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if chance(middle) < FOUND {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: f64 = 1e5;

    fn smallest(pairs: usize, deviation: f64, limit: f64) -> Option<f64> {
        let test = Test {
            design: Design::Paired { pairs },
            level: 0.01,
            limit,
        };
        let noise = Spread {
            deviation,
            degrees: KNOWN,
        };
        smallest_found(&test, noise)
    }

    #[test]
    fn more_pairs_find_less() {
        let by_pairs: Vec<f64> = [3, 5, 10, 20, 100]
            .into_iter()
            .filter_map(|pairs| smallest(pairs, 0.05, 0.0))
            .collect();
        assert_eq!(by_pairs.len(), 5);
        assert!(
            by_pairs.is_sorted_by(|one, next| one > next),
            "{by_pairs:?}"
        );
        // At many pairs: (2.326 + 1.645) standard errors of 0.05 * sqrt(2 / 100).
        assert!((by_pairs[4] - 0.0281).abs() < 0.001, "{by_pairs:?}");
    }

    #[test]
    fn a_limit_is_added_to_what_noise_asks_for() {
        let free = smallest(10, 0.02, 0.0).unwrap();
        let held = smallest(10, 0.02, 0.05).unwrap();
        assert!(held > free && held > 0.05 && held < 0.08, "{free} {held}");
    }

    #[test]
    fn hopeless_noise_finds_nothing() {
        assert_eq!(smallest(3, 10.0, 0.05), None);
        assert_eq!(smallest(3, f64::NAN, 0.05), None);
        assert!(smallest(10_000, 0.0, 0.05).unwrap() > 0.0499);
    }

    #[test]
    fn noise_that_is_hardly_known_is_taken_for_more() {
        let test = Test {
            design: Design::Paired { pairs: 8 },
            level: 0.01,
            limit: 0.0,
        };
        let of = |degrees| {
            let noise = Spread {
                deviation: 0.03,
                degrees,
            };
            smallest_found(&test, noise).unwrap()
        };
        assert!(of(4.0) > 1.5 * of(KNOWN), "{} {}", of(4.0), of(KNOWN));
    }
}
