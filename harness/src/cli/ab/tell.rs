//! This module tells how `harness ab` ended.
//!
//! **In:** [`Ended`]. **Out:** the gate's decision on stdout and in files, its exit code.

use std::io::Write;
use std::path::Path;

use super::pairs::{Ended, Why};
use crate::cli::comparison::{self, OutArgs};
use crate::cli::failure::Failure;
use crate::cli::overrides::quoted;
use crate::exit::Exit;
use crate::gate::rules::RUNS_MIN;

/// Below the folder of the runs: what was decided.
const FOLDER: &str = "gate";

pub(super) fn tell(ended: &Ended, path: &Path, out: &mut impl Write) -> Result<Exit, Failure> {
    let pairs = ended.decision.base.runs.len();
    let (base, new) = (quoted(path.join("base")), quoted(path.join("new")));
    let why = match ended.why {
        Why::Clear => format!("after {pairs} pairs the answer is clear"),
        Why::Pairs => format!("all {pairs} pairs are done"),
        Why::Budget => format!("the budget holds no further pair: {pairs} are done"),
        Why::Interrupted => {
            let fact = format!("interrupted after {pairs} pairs; what is there is kept");
            let hint = if pairs < RUNS_MIN {
                format!("fewer than {RUNS_MIN} pairs say nothing: let it run longer")
            } else {
                format!("what it says so far: harness gate {base} {new} --paired")
            };
            return Err(Failure::new(Exit::Interrupted, fact).hint(hint));
        }
    };
    comparison::tell(&ended.decision, &OutArgs::at(path.join(FOLDER)), false, out)?;
    writeln!(out, "pairs     {why}")?;
    writeln!(out, "runs      {base} {new}")?;
    out.flush()?;
    Ok(Exit::of(ended.decision.exit_code))
}
