//! This module estimates how much one side differs from the other.
//!
//! **In:** logarithms of a metric, one a run, and how finely it can be measured. **Out:** an [`Estimate`].
//! **Units:** logarithms of ratios: 0.0953 is +10 %, -0.0953 takes it back.

use serde::{Deserialize, Serialize};

use super::distribution::{t_above, t_quantile};
use super::spread::{Spread, mean, variance};

/// 95 of 100 values of a normal distribution are within so many deviations.
const NORMAL_95: f64 = 1.96;

/// How the runs of both sides belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Design {
    /// Run *i* of one side lay beside run *i* of the other: what the machine did to both falls out.
    Paired { pairs: usize },
    /// Each side by itself.
    TwoSamples { base: usize, new: usize },
}

impl Design {
    /// Standard error of the change, of runs that deviate by 1.
    pub(super) fn error_factor(self) -> f64 {
        match self {
            Self::Paired { pairs } => (2.0 / pairs.max(1) as f64).sqrt(),
            Self::TwoSamples { base, new } => {
                (1.0 / base.max(1) as f64 + 1.0 / new.max(1) as f64).sqrt()
            }
        }
    }

    /// Degrees of freedom, of sides that are equally noisy.
    pub(super) fn degrees(self) -> f64 {
        let degrees = match self {
            Self::Paired { pairs } => pairs.saturating_sub(1),
            Self::TwoSamples { base, new } => (base + new).saturating_sub(2),
        };
        degrees.max(1) as f64
    }
}

/// A change, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Estimate {
    /// Mean logarithm of new over base: above 0 where the new side has more.
    pub change: f64,
    /// Its standard error.
    pub error: f64,
    pub degrees: f64,
}

impl Estimate {
    /// The interval that holds the true change in `confidence` of all cases.
    pub(crate) fn interval(&self, confidence: f64) -> (f64, f64) {
        let reach = t_quantile(f64::midpoint(1.0, confidence), self.degrees) * self.error;
        (self.change - reach, self.change + reach)
    }

    /// The spread of single runs that such an error comes from.
    pub(crate) fn spread(&self, design: Design) -> Spread {
        Spread {
            deviation: self.error / design.error_factor(),
            degrees: self.degrees,
        }
    }

    /// How often as much more than nothing is seen where there is nothing.
    pub(crate) fn p_more(&self) -> f64 {
        t_above(self.change / self.error, self.degrees)
    }

    /// How often as much less than nothing is seen where there is nothing.
    pub(crate) fn p_less(&self) -> f64 {
        t_above(-self.change / self.error, self.degrees)
    }
}

/// What two sides of one kind differ by at most in 95 of 100 cases, were their spread known for certain. That it is not is
/// for the test to weigh; weighed here as well, three runs would be noise without end.
pub(crate) fn noise_reach(spread: Spread, design: Design) -> f64 {
    NORMAL_95 * spread.deviation * design.error_factor()
}

/// A variance is never taken for less than what the steps of the scale make of it.
fn at_least(variance: f64, step: f64) -> f64 {
    // The error of rounding is even over a step.
    variance.max(step * step / 12.0).max(f64::MIN_POSITIVE)
}

/// The change over pairs of (base, new); `None` of fewer than two. `step` is how finely a run's number is measured.
pub(crate) fn paired(pairs: &[(f64, f64)], step: f64) -> Option<Estimate> {
    if pairs.len() < 2 {
        return None;
    }
    let differences: Vec<f64> = pairs.iter().map(|(base, new)| new - base).collect();
    // Two numbers were rounded for each difference.
    let variance = at_least(variance(&differences), step * 2.0_f64.sqrt());
    Some(Estimate {
        change: mean(&differences),
        error: (variance / pairs.len() as f64).sqrt(),
        degrees: (pairs.len() - 1) as f64,
    })
}

/// The change between two samples, by Welch; `None` where one has fewer than two.
pub(crate) fn two_samples(base: &[f64], new: &[f64], step: f64) -> Option<Estimate> {
    if base.len() < 2 || new.len() < 2 {
        return None;
    }
    let part = |side: &[f64]| at_least(variance(side), step) / side.len() as f64;
    let (of_base, of_new) = (part(base), part(new));
    let (below_base, below_new) = ((base.len() - 1) as f64, (new.len() - 1) as f64);
    let sum = of_base + of_new;
    // By shares of the sum: the squares of variances that are next to nothing would be nothing.
    let (share_base, share_new) = (of_base / sum, of_new / sum);
    let degrees = 1.0 / (share_base.powi(2) / below_base + share_new.powi(2) / below_new);
    Some(Estimate {
        change: mean(new) - mean(base),
        error: sum.sqrt(),
        degrees,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_both_of_a_pair_falls_out() {
        let pairs = [(1.0, 1.1), (5.0, 5.1), (9.0, 9.1)];
        let found = paired(&pairs, 0.001).unwrap();
        assert!((found.change - 0.1).abs() < 1e-9);
        let (low, high) = found.interval(0.95);
        assert!(0.09 < low && high < 0.11, "{low} {high}");
        let (base, new): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let alone = two_samples(&base, &new, 0.001).unwrap();
        let (low, high) = alone.interval(0.95);
        assert!(low < -5.0 && high > 5.0, "{low} {high}");
    }

    #[test]
    fn no_spread_at_all_is_not_certainty() {
        let found = paired(&[(1.0, 1.01); 5], 0.05).unwrap();
        let (low, high) = found.interval(0.95);
        assert!(low < 0.0 && high > 0.01, "{low} {high}");
        assert!(found.p_more() > 0.05);
        let same = two_samples(&[2.0; 4], &[2.0; 4], 0.0).unwrap();
        assert!(same.interval(0.95).0.is_finite() && same.degrees.is_finite());
        assert!(same.p_more() > 0.4, "{}", same.p_more());
    }

    #[test]
    fn one_run_is_no_estimate() {
        assert_eq!(paired(&[(1.0, 2.0)], 0.0), None);
        assert_eq!(two_samples(&[1.0], &[2.0, 3.0], 0.0), None);
    }

    /// Welch's formula by hand: variances of the means 0.7778 with 2 and 0.7292 with 3 degrees.
    #[test]
    fn two_samples_are_welch_s() {
        let found = two_samples(&[1.0, 2.0, 4.0], &[3.0, 4.0, 5.0, 7.0], 0.0).unwrap();
        assert!((found.degrees - 4.734).abs() < 1e-2, "{}", found.degrees);
        assert!((found.change - 2.416_67).abs() < 1e-4);
    }
}
