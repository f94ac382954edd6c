//! This module says how far runs of one kind lie apart.
//!
//! **In:** logarithms of a metric, in order of time. **Out:** a [`Spread`]. **Units:** logarithms: 0.05 is about 5 %.
//! **Source:** von Neumann, "Distribution of the ratio of the mean square successive difference" (1941).

use serde::{Deserialize, Serialize};

/// A standard deviation, and by how many degrees of freedom it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Spread {
    /// Standard deviation from run to run, of the logarithm.
    pub deviation: f64,
    pub degrees: f64,
}

/// The mean; 0 of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance about the mean; 0 of fewer than two.
pub(super) fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / (values.len() - 1) as f64
}

/// The spread about the mean, slow drift included: what a later gate meets. `None` of fewer than two.
pub(crate) fn of_values(values: &[f64]) -> Option<Spread> {
    (values.len() >= 2).then(|| Spread {
        deviation: variance(values).sqrt(),
        degrees: (values.len() - 1) as f64,
    })
}

/// The spread from each to the next, without slow drift: what pairs of runs meet that lie side by side. `None` of fewer
/// than two.
pub(crate) fn of_neighbours(values: &[f64]) -> Option<Spread> {
    let steps = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
    let (sum, count) = (steps.sum::<f64>(), values.len().checked_sub(1)?);
    (count > 0).then(|| Spread {
        deviation: (sum / (2.0 * count as f64)).sqrt(),
        // Neighbours share a run: two thirds of the degrees of independent differences are left.
        degrees: (count as f64 * 2.0 / 3.0).max(1.0),
    })
}

/// The middle value, the mean of the middle two; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(lower.midpoint(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_in_the_one_spread_and_not_in_the_other() {
        let drifting: Vec<f64> = (0..20).map(f64::from).collect();
        assert!(of_values(&drifting).unwrap().deviation > 5.0);
        let steps = of_neighbours(&drifting).unwrap().deviation;
        assert!((steps - 0.5_f64.sqrt()).abs() < 1e-9, "{steps}");
    }

    #[test]
    fn one_run_has_no_spread() {
        assert_eq!(of_values(&[1.0]), None);
        assert_eq!(of_neighbours(&[1.0]), None);
        assert_eq!(of_neighbours(&[]), None);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0, 4.0]), Some(2.5));
    }
}
