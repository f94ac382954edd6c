//! This module is `harness ab`: two servers, one scenario, runs that take turns, one answer.
//!
//! **In:** a scenario and two sides. **Out:** a folder with the runs of both sides and what was decided, and the exit code of
//! the gate.

mod args;
mod build;
mod limits;
mod pairs;
mod side;
mod spec;
mod tell;

pub(super) use args::AbArgs;

use std::io::Write;
use std::path::PathBuf;

use super::failure::Failure;
use super::series::child::Runner;
use super::series::place::Place;
use super::{screen, warning};
use crate::clock::wall_ns;
use crate::exit::Exit;
use crate::run::identity;
use build::Builds;
use pairs::Pairs;

pub(super) fn run(args: &AbArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    if args.changes.has_target() {
        let fact = "--target: harness ab has a target on each side";
        return Err(Failure::new(Exit::Usage, fact).hint("name them with --base and --new"));
    }
    for given in args.sides() {
        side::check(&given)?;
    }
    // Both before anything is built: a mistake in the scenario costs nothing.
    let plans = [
        side::plan(args, &args.sides()[0])?,
        side::plan(args, &args.sides()[1])?,
    ];
    warning::tell(&plans[0]);
    let limits = args.limits().of(&plans)?;
    let default = || PathBuf::from("reports").join(identity::run_id());
    let path = args.out.clone().unwrap_or_else(default);
    let order_seed = args.order_seed.unwrap_or_else(|| wall_ns() % 1_000_000);
    let runner = Runner::new()?;
    let place = Place::make(&path, side::command(args, order_seed), Some(order_seed))?;
    let builds = Builds {
        profile: args.profile.clone(),
        limit: args.build_limit,
    };
    let [base, new] = args.sides();
    let sides = [
        side::Side::ready(args, &base, &builds, &plans[0])?,
        side::Side::ready(args, &new, &builds, &plans[1])?,
    ];
    let rules = args.rules.rules();
    let pairs = Pairs::new(
        sides,
        (runner, place),
        (limits, order_seed),
        (rules, !args.quiet),
    );
    if !args.quiet {
        for line in pairs.announcement() {
            screen::say(&line);
        }
    }
    let ended = pairs.run()?;
    tell::tell(&ended, &path, out)
}
