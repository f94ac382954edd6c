//! This module asks which of the known failures a service has.
//!
//! **In:** a plan: its environment, its target, how its sessions are opened. **Out:** the plans of a few short runs, each of which
//! puts some failures to the test ([`phase`]); from their results and an examination, an [`Audit`]: a verdict for every row of
//! the table, and what it was proven by.
//!
//! A failure that *broke* did so in whichever run showed it. It is *held* only where a run was made to show it, was sound, and did
//! not. Where the failure cannot be shown here the row says why, in the words of the scenario's own checks.
//!
//! To add a test: a `[[trial]]` or `[[fault]]` in a file of `phases/`, and the failure in that phase's list.

mod account;
mod cause;
mod judge;
mod phase;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use account::{Audit, Row, Verdict};
pub(crate) use judge::{Came, Entrance, judged};
pub(crate) use phase::{Composed, NAMES, phases};
