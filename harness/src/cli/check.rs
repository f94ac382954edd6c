//! This module is `harness check`: every problem of every file.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::read;
use crate::exit::Exit;
use crate::format;
use crate::scenario::Overrides;
use crate::units;

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
}

pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let mut failed = 0_usize;
    for path in &args.scenarios {
        match read::plan(path, &Overrides::default()) {
            Ok(plan) => {
                let clients = format::count(u64::from(plan.load.clients));
                let length = units::print_us(plan.load.load_us());
                writeln!(
                    out,
                    "{}: ok ({clients} clients, {length}, faults: {})",
                    path.display(),
                    plan.faults.len()
                )?;
            }
            Err(failure) => {
                failed += 1;
                out.flush()?;
                failure.write(&mut std::io::stderr().lock())?;
            }
        }
    }
    if failed == 0 {
        return Ok(Exit::Pass);
    }
    writeln!(
        out,
        "{failed} of {} scenarios cannot be run",
        args.scenarios.len()
    )?;
    Ok(Exit::Usage)
}
