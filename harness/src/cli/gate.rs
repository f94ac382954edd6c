//! This module is `harness gate`: new runs against a baseline, for CI.
//!
//! **In:** a baseline and new runs. **Out:** an exit code that can be left switched on, and the files that CI systems read.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::comparison::{self, OutArgs};
use super::failure::Failure;
use super::rules::RulesArgs;
use crate::exit::Exit;
use crate::gate::decision::decide;
use crate::gate::sides::Named;

/// Fail when new runs are slower than a baseline, and only when that is sure
///
/// A kept baseline stands for the machine it was made on: use it on machines of its class that nobody else uses. On
/// shared runners, compare both builds on the runner itself: `harness gate --ab SCENARIO --base SPEC --new SPEC`, which
/// is `harness ab`.
///
/// Ends with 0 when the new runs are surely not slower by more than the limit, with 11 when they are surely slower, with
/// 12 when neither is sure or the two sides may not be compared, with 13 when a run is invalid, and with 14 or 10 when a
/// new run broke a promise or an expectation by itself.
#[derive(Args, Debug)]
pub(super) struct GateArgs {
    /// A kept baseline (its name or file), a folder of runs, or a pattern of such
    #[arg(value_name = "BASELINE")]
    base: PathBuf,
    /// The new runs: their folders, folders of such, or patterns
    #[arg(required = true, value_name = "NEW")]
    new: Vec<PathBuf>,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    out: OutArgs,
}

pub(super) fn run(args: &GateArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let named = std::slice::from_ref(&args.base);
    let (base, new) = (comparison::runs(named)?, comparison::runs(&args.new)?);
    let base = Named {
        name: comparison::name(named),
        runs: &base,
    };
    let new = Named {
        name: comparison::name(&args.new),
        runs: &new,
    };
    let decision = decide(&base, &new, args.rules.pairing(), &args.rules.rules());
    comparison::tell(&decision, &args.out, false, out)?;
    Ok(decision.outcome.exit())
}
