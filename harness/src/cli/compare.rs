//! This module is `harness compare`: runs held against runs.
//!
//! **In:** the runs of two sides. **Out:** what changed, by how much, and how sure that is. It tells; `harness gate` judges:
//! whatever is slower, this ends with 0. What cannot be compared at all ends as it does there.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::comparison::{self, OutArgs};
use super::failure::Failure;
use super::rules::RulesArgs;
use crate::exit::Exit;
use crate::gate::comparison::Outcome;
use crate::gate::decision::decide;
use crate::gate::sides::Named;

#[derive(Args, Debug)]
#[command(override_usage = "harness compare [OPTIONS] <BASE>... -- <NEW>...")]
pub(super) struct CompareArgs {
    /// Runs of one side: their folders, folders of such, patterns ("reports/main-*"), or a kept baseline
    #[arg(required = true, value_name = "BASE")]
    base: Vec<PathBuf>,
    /// Runs of the other side
    #[arg(required = true, last = true, value_name = "NEW")]
    new: Vec<PathBuf>,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    out: OutArgs,
}

pub(super) fn run(args: &CompareArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let (base, new) = (comparison::runs(&args.base)?, comparison::runs(&args.new)?);
    let base = Named {
        name: comparison::name(&args.base),
        runs: &base,
    };
    let new = Named {
        name: comparison::name(&args.new),
        runs: &new,
    };
    let decision = decide(&base, &new, args.rules.pairing(), &args.rules.rules());
    comparison::tell(&decision, &args.out, true, out)?;
    Ok(match decision.outcome {
        Outcome::Refused | Outcome::Invalid => decision.outcome.exit(),
        Outcome::Pass
        | Outcome::Threshold
        | Outcome::Slower
        | Outcome::Inconclusive
        | Outcome::Incorrect => Exit::Pass,
    })
}
