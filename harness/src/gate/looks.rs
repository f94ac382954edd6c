//! This module says when a comparison that goes on pair by pair may look at what it has, and how sure it must then be.
//!
//! **In:** the pairs there may be at most. **Out:** [`Looks`]: after which pairs to look, and the share of the allowed
//! false alarms that each look may spend. **Units:** pairs; shares of `Rules::level` and of 1 - `Rules::confidence`.
//!
//! **Method.** Whoever looks after every pair and stops at the first alarm is alarmed by chance far more often than his
//! level says. So the looks are fixed before the first run, and the level is spent over them: half of it in equal parts by
//! the looks on the way, half by the last one. The chance of any false alarm is at most the sum (Boole's inequality),
//! whatever the looks have in common and however the runs are distributed, as long as one look by itself keeps its level.
//! Where time runs out earlier, the last look is taken then: it has its own share, and the looks that were not taken spend
//! nothing. Tighter bounds (Pocock, O'Brien and Fleming) need a known spread of the runs, which a handful of pairs cannot give;
//! with five looks this costs a tenth more pairs.
//!
//! **Source:** Lan and `DeMets`, "Discrete sequential boundaries for clinical trials" (Biometrika 1983), on spending the
//! level; Jennison and Turnbull, "Group Sequential Methods" (2000), chapter 7.

use super::comparison::{Decision, Outcome, Role, Word};
use super::decision::decide;
use super::rules::{Pairing, RUNS_MIN, Rules};
use super::sides::Named;

/// The share of the last look.
const LAST: f64 = 0.5;

/// After which pairs to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    /// Ascending; the last is after the last pair there may be.
    after: Vec<usize>,
}

impl Looks {
    /// The looks of a comparison of so many pairs at most: after 3, 5, 8, 12, 18, … and the last one.
    pub(crate) fn up_to(pairs: usize) -> Self {
        let pairs = pairs.max(RUNS_MIN);
        let mut after = Vec::new();
        let mut next = RUNS_MIN;
        while next < pairs {
            after.push(next);
            next = grown(next);
        }
        after.push(pairs);
        Self { after }
    }

    /// The pairs after which there is a look.
    pub(crate) fn after(&self) -> &[usize] {
        &self.after
    }

    /// What the look after so many pairs may spend; `None`: there is none.
    pub(crate) fn share(&self, pairs: usize) -> Option<f64> {
        let place = self.after.iter().position(|after| *after == pairs)?;
        let on_the_way = self.after.len() - 1;
        Some(if place == on_the_way {
            self.last_share()
        } else {
            (1.0 - LAST) / on_the_way as f64
        })
    }

    /// What the last look may spend, whenever it comes.
    pub(crate) fn last_share(&self) -> f64 {
        if self.after.len() == 1 { 1.0 } else { LAST }
    }
}

/// Half as many again, rounded up.
fn grown(pairs: usize) -> usize {
    pairs + pairs.div_ceil(2)
}

/// Holds the pairs against each other at a look that may spend this share.
///
/// What fails the gate must be as rare as the share of the level; what passes it must be as sure as the share of what is
/// left to doubt.
pub(crate) fn decide_at(base: &Named<'_>, new: &Named<'_>, rules: &Rules, share: f64) -> Decision {
    let strict = Rules {
        level: rules.level * share,
        others_level: rules.others_level * share,
        ..rules.clone()
    };
    let found = decide(base, new, Pairing::InOrder, &strict);
    if found.outcome != Outcome::Pass {
        return found;
    }
    let sure = Rules {
        confidence: 1.0 - (1.0 - rules.confidence) * share,
        ..strict
    };
    decide(base, new, Pairing::InOrder, &sure)
}

/// Whether more pairs would change nothing: something is slower, or broke by itself, or nothing that may fail the gate is
/// slower by more than its limit.
pub(crate) fn is_clear(decision: &Decision) -> bool {
    match decision.outcome {
        Outcome::Inconclusive => false,
        Outcome::Pass => {
            let mut judged = decision.rows.iter().filter(|row| row.role != Role::Shown);
            judged.all(|row| row.within || row.word == Word::Faster)
        }
        Outcome::Threshold
        | Outcome::Slower
        | Outcome::Refused
        | Outcome::Invalid
        | Outcome::Incorrect => true,
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::gate::facts::{Counts, Ended, HostClass, PlanPrint, RunEnd, RunFacts};
    use crate::gate::metric::Metric;
    use crate::gate::wait::Waits;

    const PAIRS: usize = 15;

    #[test]
    fn the_looks_grow_apart_and_spend_what_there_is() {
        let looks = Looks::up_to(20);
        assert_eq!(looks.after(), [3, 5, 8, 12, 18, 20]);
        for pairs in [1, 3, 4, 15, 40, 10_000] {
            let looks = Looks::up_to(pairs);
            let shares = looks.after().iter().filter_map(|after| looks.share(*after));
            let spent: f64 = shares.sum();
            assert!((spent - 1.0).abs() < 1e-9, "{pairs}: {spent}");
            assert_eq!(looks.after().last(), Some(&pairs.max(3)));
        }
        assert_eq!(looks.share(4), None);
    }

    /// A sum of twelve even numbers: near enough to the normal distribution.
    fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
        let even =
            |random: &mut Xoshiro256PlusPlus| (random.next_u64() >> 11) as f64 / 2.0_f64.powi(53);
        (0..12).map(|_| even(random)).sum::<f64>() - 6.0
    }

    fn run(number: usize, values: impl IntoIterator<Item = (Metric, f64)>) -> RunFacts {
        RunFacts {
            id: format!("r-{number:08x}"),
            started_at: String::new(),
            scenario: String::new(),
            title: String::new(),
            harness_version: "0.1.0".to_owned(),
            commit: None,
            plan: PlanPrint {
                load: String::new(),
                environment: None,
                whole: String::new(),
            },
            host: HostClass {
                cores: 2,
                memory_gib: 8,
                kernel: String::new(),
                cpu: None,
            },
            end: RunEnd {
                exit_code: 0,
                status: Ended::Pass,
                sentence: String::new(),
                aborted: None,
            },
            values: values.into_iter().collect(),
            counts: Counts {
                completed: 600,
                ..Counts::default()
            },
            waits: Waits::default(),
            curve: Vec::new(),
            lines: std::collections::BTreeMap::new(),
        }
    }

    /// Runs pair by pair, whose noise is shared by a pair in part, until it is clear or there are no more; how it ended
    /// and after how many pairs.
    fn sequence(seed: u64, effect: f64, looked: impl Fn(usize) -> Option<f64>) -> (Outcome, usize) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let rules = Rules::default();
        let metrics = [rules.primary.clone(), Metric::ServerCpu];
        let noises = [0.02, 0.06];
        let (mut base, mut new) = (Vec::new(), Vec::new());
        let mut ended = Outcome::Inconclusive;
        for pair in 1..=PAIRS {
            let (mut of_base, mut of_new) = (Vec::new(), Vec::new());
            for (metric, noise) in metrics.iter().zip(noises) {
                let shared = noise * normal(&mut random);
                let mut value = |usual: f64| {
                    let own = noise * normal(&mut random);
                    (metric.clone(), usual * (shared + own).exp())
                };
                of_base.push(value(2_000.0));
                of_new.push(value(2_000.0 * (1.0 + effect)));
            }
            base.push(run(2 * pair, of_base));
            new.push(run(2 * pair + 1, of_new));
            let Some(share) = looked(pair) else { continue };
            let named = |name: &str, runs| Named {
                name: name.to_owned(),
                runs,
            };
            let decision = decide_at(&named("base", &base), &named("new", &new), &rules, share);
            ended = decision.outcome;
            if is_clear(&decision) {
                return (ended, pair);
            }
        }
        (ended, PAIRS)
    }

    fn share_of(
        outcome: Outcome,
        sequences: u64,
        effect: f64,
        looked: impl Fn(usize) -> Option<f64>,
    ) -> f64 {
        let ended = (0..sequences).filter(|seed| sequence(*seed, effect, &looked).0 == outcome);
        ended.count() as f64 / sequences as f64
    }

    /// How often chance alone raises an alarm at one of the looks, of the bare test: no floor, no noise to get past.
    fn alarms(looked: impl Fn(usize) -> Option<f64>) -> f64 {
        const SEQUENCES: u64 = 4_000;
        let level = Rules::default().level;
        let alarmed = |seed: &u64| {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(*seed);
            let mut pairs = Vec::new();
            (1..=PAIRS).any(|after| {
                pairs.push((normal(&mut random), normal(&mut random)));
                let share = looked(after);
                share.is_some_and(|share| {
                    let found = crate::gate::statistics::paired(&pairs, 0.0);
                    found.is_some_and(|found| found.p_more() <= level * share)
                })
            })
        };
        (0..SEQUENCES).filter(alarmed).count() as f64 / SEQUENCES as f64
    }

    #[test]
    fn looking_often_raises_false_alarms_unless_the_level_is_spent() {
        let looks = Looks::up_to(PAIRS);
        let spent = alarms(|pairs| looks.share(pairs));
        // 1 %, and three standard deviations of 4,000 sequences.
        assert!(spent <= 0.015, "{spent}");
        let unspent = alarms(|pairs| (pairs >= RUNS_MIN).then_some(1.0));
        assert!(unspent >= 0.025, "{unspent}");
    }

    #[test]
    #[ignore = "slow: hundreds of comparisons"]
    fn no_change_is_no_alarm_and_a_change_is_found() {
        let looks = Looks::up_to(PAIRS);
        // The level of the primary metric and that of the others: 2 % together.
        let alarmed = share_of(Outcome::Slower, 400, 0.0, |pairs| looks.share(pairs));
        assert!(alarmed <= 0.02, "{alarmed}");
        let found = share_of(Outcome::Slower, 100, 0.15, |pairs| looks.share(pairs));
        assert!(found >= 0.95, "{found}");
        let passed = share_of(Outcome::Pass, 100, 0.0, |pairs| looks.share(pairs));
        assert!(passed >= 0.9, "{passed}");
    }

    #[test]
    fn a_clear_answer_comes_early() {
        let looks = Looks::up_to(PAIRS);
        let mut pairs: Vec<usize> = (0..9)
            .map(|seed| sequence(seed, 0.5, |pairs| looks.share(pairs)).1)
            .collect();
        pairs.sort_unstable();
        assert!(pairs[4] <= 5, "{pairs:?}");
    }
}
