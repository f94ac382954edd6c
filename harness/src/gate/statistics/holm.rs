//! This module lets many tests be made at once without more false alarms than one.
//!
//! **In:** the p-value of each. **Out:** the same, adjusted: at or below a level, the test is failed at that level for all
//! of them together. **Source:** Holm, "A simple sequentially rejective multiple test procedure" (1979).

/// The p-values after Holm, in the order given. What is no number counts as 1.
pub(crate) fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().map(clean).enumerate().collect();
    order.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut found = vec![1.0; p_values.len()];
    let mut so_far: f64 = 0.0;
    for (rank, (place, p)) in order.into_iter().enumerate() {
        so_far = so_far.max((p_values.len() - rank) as f64 * p).min(1.0);
        found[place] = so_far;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")`.
    #[test]
    fn the_numbers_are_those_of_r() {
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005]);
        for (one, other) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((one - other).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(adjusted(&[f64::NAN, -1.0]), [1.0, 0.0]);
        assert!(adjusted(&[]).is_empty());
    }
}
