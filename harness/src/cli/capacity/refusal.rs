//! This module says why a scenario cannot be loaded along an axis.

use crate::capacity::axis::AxisError;
use crate::cli::failure::Failure;
use crate::exit::Exit;
use crate::plan::Plan;

/// A usage error with the scenario's name.
pub(super) fn refused(plan: &Plan, error: AxisError) -> Failure {
    let fact = format!("{}: {error}", plan.scenario);
    Failure::new(Exit::Usage, fact).hint(error.hint())
}
