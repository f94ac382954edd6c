//! This module is what the command line says to `harness ab`.
//!
//! **In:** flags. **Out:** [`AbArgs`]: two sides, the limits, and what both are asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::limits::Limits;
use super::spec::Spec;
use crate::cli::overrides::OverrideArgs;
use crate::cli::rules::RulesArgs;
use crate::environment::ServerFlag;
use crate::units;

/// How long it may take where nothing is said about that.
const BUDGET: Duration = Duration::from_mins(10);
/// Most pairs, where nothing is said about that.
const PAIRS_MAX: u16 = 99;

/// Find out whether one server is slower than another, by runs that take turns
///
/// Runs the scenario against both in pairs, in an order left to chance, until it is clear which way it is, or until
/// time or pairs are used up. Both sides meet the same machine in the same minutes: that is the way that works on
/// shared runners, where a baseline of yesterday tells little.
///
/// When it looks is fixed before the first run, and each look must be so much surer that all of them together raise a
/// false alarm no more often than a single one (the level is spent over the looks: Lan and `DeMets` 1983, by Boole's
/// inequality). Every run is kept and listed; a pair with an invalid run is set aside and done again, and said to be.
///
/// Ends with 0 when the new side is surely not slower by more than the limit, 11 when it is surely slower, 12 when neither
/// is sure within budget and pairs, 13 when runs stay invalid, 14 or 10 when a new run broke a promise or an expectation by
/// itself.
#[derive(Args, Debug)]
pub(crate) struct AbArgs {
    /// Scenario file
    pub(super) scenario: PathBuf,
    /// What to compare with: a reference-server binary, the URL of a target, or rev:NAME, a git revision of this workspace
    #[arg(long, value_name = "SPEC")]
    pub(super) base: Spec,
    /// What may be slower: the same kinds
    #[arg(long, value_name = "SPEC")]
    pub(super) new: Spec,
    /// A flag of the base server, such as slow-cpu=10%; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) base_flag: Vec<ServerFlag>,
    /// A flag of the new server; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) new_flag: Vec<ServerFlag>,
    /// Most pairs of runs [default: as many as the budget holds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=999))]
    pub(super) pairs: Option<u16>,
    /// Longest time for all runs, builds apart [default: 10min, or none with --pairs]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) budget: Option<Duration>,
    /// How often a pair with an invalid run may be done again
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) redo: u16,
    /// Seed of the order in which the sides take turns [default: another one each time, which is printed]
    #[arg(long, value_name = "N")]
    pub(super) order_seed: Option<u64>,
    #[command(flatten)]
    pub(super) rules: RulesArgs,
    /// The profile of cargo by which revisions are built
    #[arg(long, value_name = "NAME", default_value = "release", value_parser = profile)]
    pub(super) profile: String,
    /// Longest time for the build of one revision
    #[arg(long, value_name = "TIME", default_value = "30min", value_parser = duration)]
    pub(super) build_limit: Duration,
    #[command(flatten)]
    pub(super) changes: OverrideArgs,
    /// Allow traffic to this host, which is not this machine
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
    /// Allow faults against a host that is not this machine
    #[arg(long)]
    pub(super) allow_faults: bool,
    /// Folder for all runs and what was decided, new or empty [default: a new one in `reports`]
    #[arg(long, value_name = "DIR", env = "HARNESS_OUT")]
    pub(super) out: Option<PathBuf>,
    /// No progress on stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// What a side is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) name: &'static str,
    pub(super) spec: &'a Spec,
    pub(super) flags: &'a [ServerFlag],
}

impl AbArgs {
    pub(super) const fn sides(&self) -> [Given<'_>; 2] {
        let (base, new) = (self.base_flag.as_slice(), self.new_flag.as_slice());
        [
            Given {
                name: "base",
                spec: &self.base,
                flags: base,
            },
            Given {
                name: "new",
                spec: &self.new,
                flags: new,
            },
        ]
    }

    pub(super) fn limits(&self) -> Limits {
        let none_given = self.pairs.is_none() && self.budget.is_none();
        Limits {
            pairs: usize::from(self.pairs.unwrap_or(PAIRS_MAX)),
            budget: self.budget.or(none_given.then_some(BUDGET)),
            redo: usize::from(self.redo),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let found = units::parse_duration(text).map_err(|error| format!("expected {error}"))?;
    if found.is_zero() {
        return Err("must be longer than nothing".to_owned());
    }
    Ok(found)
}

fn profile(text: &str) -> Result<String, String> {
    let is_name = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '_';
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_name) {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a profile, such as release or dev".to_owned())
    }
}
