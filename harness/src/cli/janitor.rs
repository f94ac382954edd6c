//! This module is `harness janitor`, hidden: every run starts one for itself.

use std::io::Write;

use super::failure::Failure;
use crate::environment::janitor;
use crate::exit::Exit;

/// Serves the run at the other end of standard input; what it could not clean up goes to its log.
pub(super) fn run(out: &mut impl Write) -> Result<Exit, Failure> {
    let problems = janitor::main().map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    if problems.is_empty() {
        Ok(Exit::Pass)
    } else {
        Ok(Exit::Environment)
    }
}
