//! This module turns what became of tokens of every age into a curve with its confidence.
//!
//! **In:** a trial of token ages and its record. **Out:** an [`Acceptance`].
//!
//! **Source:** E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927):
//! the interval of a share, here at 95 %.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, TokenAge, TrialKind};
use crate::record::trial::{AGE_BINS, Accepted, TrialRecord};
use crate::units;

/// Of the normal distribution, for 95 % in the middle.
const Z: f64 = 1.959_963_985;

/// Share of the tokens that were accepted, over their age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Acceptance {
    /// Name of the trial.
    pub trial: String,
    /// What the server promises a token is good for.
    pub ttl_us: u64,
    pub bin_us: u64,
    /// By age, ascending; ages that were not tried are left out.
    pub bins: Vec<AcceptanceBin>,
}

/// Tokens of about one age.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AcceptanceBin {
    pub from_us: u64,
    pub tried: u64,
    pub accepted: u64,
    pub accepted_ratio: f64,
    /// Bounds of the interval.
    pub low_ratio: f64,
    pub high_ratio: f64,
}

/// One curve for every trial of token ages.
pub(super) fn curves(plan: &Plan, records: &[TrialRecord]) -> Vec<Acceptance> {
    let trials = plan.trials.iter().zip(records);
    let curves = trials.filter_map(|(plan, record)| {
        let TrialKind::TokenAge(TokenAge { ttl_us, spread_us }) = plan.kind else {
            return None;
        };
        let bins = record.ages.iter().map(|(&from_us, &of)| bin(from_us, of));
        Some(Acceptance {
            trial: plan.name.clone(),
            ttl_us,
            bin_us: (spread_us * 2 / AGE_BINS).max(1),
            bins: bins.collect(),
        })
    });
    curves.collect()
}

fn bin(from_us: u64, of: Accepted) -> AcceptanceBin {
    let n = of.tried.max(1) as f64;
    let share = of.accepted as f64 / n;
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    AcceptanceBin {
        from_us,
        tried: of.tried,
        accepted: of.accepted,
        accepted_ratio: units::short(share),
        low_ratio: units::short(((middle - half) / whole).clamp(0.0, 1.0)),
        high_ratio: units::short(((middle + half) / whole).clamp(0.0, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // 81 of 263, the example of Newcombe (1998), table I: 0.2553 to 0.3662.
        let of = Accepted {
            tried: 263,
            accepted: 81,
        };
        let bin = bin(0, of);
        let near = |seen: f64, expected: f64| (seen - expected).abs() < 5e-5;
        assert!(near(bin.low_ratio, 0.2553), "{bin:?}");
        assert!(near(bin.high_ratio, 0.3662), "{bin:?}");
    }

    #[test]
    fn a_few_that_were_all_accepted_leave_doubt() {
        let of = Accepted {
            tried: 4,
            accepted: 4,
        };
        let bin = bin(0, of);
        assert!(
            bin.low_ratio < 0.6 && bin.high_ratio >= 0.999_999,
            "{bin:?}"
        );
    }
}
