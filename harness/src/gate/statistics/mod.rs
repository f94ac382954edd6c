//! This module is the arithmetic of the gate: intervals, several tests at once, and what could be found at all.
//!
//! **In:** logarithms of a metric, one number a run. **Out:** an [`Estimate`] of the change, and what follows from its
//! spread. Pure: no clock, no files, no chance.
//!
//! **Method.** Student's t on the differences of pairs, Welch's t on two samples. A bootstrap is the usual choice where the
//! shape of the noise is unknown, but with the three to twenty runs that a gate can afford it covers too little (of 95 %
//! at three pairs `BCa` covers 69 %, bootstrap-t 86 %); `cargo xtask bench gate` measures them beside ours. The
//! logarithm takes the skew out of latencies, and the difference of two runs of one kind is symmetric whatever their
//! noise, which is what the t interval asks for.
//!
//! **Source:** Welch, "The generalization of Student's problem" (Biometrika 1947); Holm, "A simple sequentially rejective
//! multiple test procedure" (1979); Kalibera and Jones, "Rigorous benchmarking in reasonable time" (ISMM 2013) on the run as the replicate;
//! `DiCiccio` and Efron, "Bootstrap confidence intervals" (1996).

mod distribution;
mod estimate;
mod holm;
mod power;
mod spread;

pub(crate) use estimate::{Design, Estimate, noise_reach, paired, two_samples};
pub(crate) use holm::adjusted;
pub(crate) use power::{Test, smallest_found};
pub(crate) use spread::{Spread, median, of_neighbours, of_values};
