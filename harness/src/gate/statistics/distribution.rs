//! This module asks the distributions: Student's t, the normal, chi-square.
//!
//! **Out:** numbers that are finite wherever the degrees of freedom are positive; the far end of a tail else.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

/// More degrees than this are told from the normal distribution by nobody.
const DEGREES_MAX: f64 = 1e6;

/// The share of Student's t above `t`.
pub(super) fn t_above(t: f64, degrees: f64) -> f64 {
    if t.is_nan() || t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    StudentsT::new(0.0, 1.0, degrees.min(DEGREES_MAX)).map_or(1.0, |t_of| t_of.sf(t))
}

/// The value that the share `below` of Student's t does not exceed.
pub(super) fn t_quantile(below: f64, degrees: f64) -> f64 {
    let found = StudentsT::new(0.0, 1.0, degrees.min(DEGREES_MAX));
    found.map_or(f64::INFINITY, |t_of| t_of.inverse_cdf(below))
}

/// The share of the standard normal distribution below `z`.
pub(super) fn normal_below(z: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(0.5, |normal| normal.cdf(z))
}

/// The value that the share `below` of chi-square does not exceed.
pub(super) fn chi_square_quantile(below: f64, degrees: f64) -> f64 {
    let found = ChiSquared::new(degrees.min(DEGREES_MAX));
    found.map_or(0.0, |chi_square| chi_square.inverse_cdf(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, table: f64) {
        assert!((found / table - 1.0).abs() < 1e-3, "{found} {table}");
    }

    /// Printed tables: NIST/SEMATECH e-Handbook, 1.3.6.7.
    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        near(t_quantile(0.975, 2.0), 4.303);
        near(t_quantile(0.975, 9.0), 2.262);
        near(t_quantile(0.99, 12.0), 2.681);
        near(t_quantile(0.999, 2.0), 22.327);
        near(t_quantile(0.975, 1e9), 1.960);
        near(t_above(2.262, 9.0), 0.025);
        near(chi_square_quantile(0.95, 2.0), 5.991);
        near(chi_square_quantile(0.1, 9.0), 4.168);
        near(normal_below(1.96), 0.975);
    }

    #[test]
    fn nonsense_is_no_evidence() {
        assert!((t_above(f64::NAN, 3.0) - 1.0).abs() < 1e-12);
        assert!((t_above(1.0, 0.0) - 1.0).abs() < 1e-12);
        assert!((t_above(f64::INFINITY, 2.0)).abs() < 1e-12);
    }
}
