//! This module is what probes measured, and what those of one load have in common.
//!
//! **In:** [`Observation`]s in any order. **Out:** the same by load, and how far those of one load
//! lie apart.

/// What a probe measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observation {
    /// Clients, sessions or instances; 1 or more.
    pub load: f64,
    /// Messages per second; above 0.
    pub throughput: f64,
}

/// Sorted by load, those of one load together.
pub(super) fn by_load(observations: &[Observation]) -> Vec<Vec<Observation>> {
    let mut sorted = observations.to_vec();
    sorted.sort_by(|one, other| one.load.total_cmp(&other.load));
    let same = sorted.chunk_by(|one, other| one.load.total_cmp(&other.load).is_eq());
    same.map(<[Observation]>::to_vec).collect()
}

/// Squares of the logarithms of throughput about the mean of their load.
pub(super) fn within(loads: &[Vec<Observation>]) -> f64 {
    let of_load =
        |same: &Vec<Observation>| about_mean(same.iter().map(|one| one.throughput.ln())).1;
    loads.iter().map(of_load).sum()
}

/// The mean, and the squares about it.
pub(super) fn about_mean(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (count, sum) = values
        .clone()
        .fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    let mean = sum / count;
    (mean, values.map(|value| (value - mean).powi(2)).sum())
}
