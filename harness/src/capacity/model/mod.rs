//! This module is the arithmetic of capacity: what probes say about loads between and beyond them.
//!
//! **In:** numbers of probes. **Out:** estimates with intervals, or a refusal that says why there
//! are none. Pure: no clock, no files, no chance.

pub(crate) mod binomial;
pub(crate) mod knee;
pub(crate) mod little;
#[cfg(test)]
pub(crate) mod queue;
pub(crate) mod usl;
