//! This module says how much `harness ab` may do.
//!
//! **In:** flags, the plans of both sides. **Out:** [`Fitted`]: limits that fit each other.

use std::time::Duration;

use crate::cli::failure::Failure;
use crate::cli::series::repeat;
use crate::exit::Exit;
use crate::gate::rules::RUNS_MIN;
use crate::plan::Plan;
use crate::units;

/// How much may be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub pairs: usize,
    pub budget: Option<Duration>,
    /// Pairs that may be done again.
    pub redo: usize,
}

/// Limits that fit each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fitted {
    pub limits: Limits,
    /// About how long a run takes.
    pub usual: Duration,
}

impl Limits {
    /// As many pairs as the budget holds.
    pub(super) fn of(self, plans: &[Plan; 2]) -> Result<Fitted, Failure> {
        let usual = plans.iter().map(repeat::usual).max().unwrap_or_default();
        let mut limits = self;
        if let Some(budget) = self.budget {
            let pair_us = units::us(usual * 2).max(1);
            let fits = usize::try_from(units::us(budget) / pair_us).unwrap_or(usize::MAX);
            limits.pairs = self.pairs.min(fits);
            if fits < RUNS_MIN {
                let least = units::print_us(pair_us.saturating_mul(RUNS_MIN as u64));
                let fact = format!(
                    "--budget {}: holds {fits} pairs of about {}, and {RUNS_MIN} are the fewest",
                    units::print_duration(budget),
                    units::print_us(pair_us)
                );
                return Err(Failure::new(Exit::Usage, fact).hint(format!(
                    "give it {least} or more, or shorten the runs with --duration"
                )));
            }
        }
        Ok(Fitted { limits, usual })
    }
}
