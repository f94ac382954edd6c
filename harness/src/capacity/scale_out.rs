//! This module says how capacity grows with instances, where it was searched for on several numbers of them.
//!
//! **In:** what each number of instances takes together. **Out:** a [`ScaleOut`]: how much they hinder each other, and how
//! many carry a load by that. **Units:** loads of the axis.
//!
//! **Method.** Amdahl's law, which is the Universal Scalability Law without the cost of agreement: *n* instances take
//! λ·n / (1 + σ·(n − 1)). As n / C(n) is a line in n − 1, σ is its slope over its height, by least squares. Two or three
//! numbers of instances carry no third coefficient.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a number of instances takes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Together {
    pub instances: u64,
    /// The largest load at which everything held.
    pub held: u64,
    /// The smallest above it that broke; `None`: none is known.
    pub broke: Option<u64>,
}

/// How capacity grows with instances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScaleOut {
    /// Most instances that were measured.
    pub most: u64,
    likely: Line,
    /// As little and as much contention as the ends of the answers allow.
    least: Line,
    worst: Line,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    /// λ: what one instance takes.
    one: f64,
    /// σ: contention, 0 or more.
    contention: f64,
}

impl Line {
    /// Through (n − 1, n / C(n)); `None` where there are fewer than two different numbers of instances. `flat`: without
    /// contention.
    fn through(points: &[(u64, f64)], flat: bool) -> Option<Self> {
        let points: Vec<(f64, f64)> = points
            .iter()
            .map(|(instances, load)| (*instances as f64 - 1.0, *instances as f64 / load))
            .collect();
        let count = points.len() as f64;
        let x = points.iter().map(|point| point.0).sum::<f64>() / count;
        let y = points.iter().map(|point| point.1).sum::<f64>() / count;
        let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let both = points.iter().map(|point| (point.0 - x) * (point.1 - y));
        // Instances that help each other are noise.
        let slope = if flat {
            0.0
        } else {
            (both.sum::<f64>() / squares).max(0.0)
        };
        let height = y - slope * x;
        let line = Self {
            one: 1.0 / height,
            contention: slope / height,
        };
        (squares > 0.0 && height > 0.0 && line.one.is_finite()).then_some(line)
    }

    /// Instances that carry so much; `None`: no number does.
    fn carry(self, want: u64) -> Option<u64> {
        let loads = want as f64 / self.one;
        if loads <= 1.0 {
            return Some(1);
        }
        let rest = 1.0 - loads * self.contention;
        let needed = loads * (1.0 - self.contention) / rest;
        // A load that is met to the last digit needs no further instance.
        (rest > 0.0).then(|| crate::units::rounded((needed - 1e-6).ceil().max(1.0)))
    }
}

/// An end of what is known: of the load that held and the one that broke.
type End = fn(f64, f64) -> f64;

impl ScaleOut {
    /// `None` where the answers are of one number of instances only, or one of them holds nothing.
    pub(crate) fn of(all: &[Together]) -> Option<Self> {
        let base = all.iter().map(|one| one.instances).min()?;
        let most = all.iter().map(|one| one.instances).max()?;
        let high = |one: &Together| one.broke.unwrap_or(one.held).max(one.held) as f64;
        let low = |one: &Together| one.held as f64;
        let line = |(base_at, rest_at): (End, End), flat: bool| {
            let points: Vec<(u64, f64)> = all
                .iter()
                .filter(|one| one.held > 0 && one.instances > 0)
                .map(|one| {
                    let at = if one.instances == base {
                        base_at
                    } else {
                        rest_at
                    };
                    (one.instances, at(low(one), high(one)))
                })
                .collect();
            Line::through(&points, flat)
        };
        let (lower, upper): (End, End) = (|low, _| low, |_, high| high);
        let least = line((lower, upper), false)?;
        // What the ends of the answers explain without contention shows none.
        let is_flat = least.contention <= 0.0;
        Some(Self {
            most,
            likely: line((lower, lower), is_flat)?,
            least,
            worst: line((upper, lower), false)?,
        })
    }

    /// Contention: likely, and from where to where.
    pub(crate) const fn contention(&self) -> (f64, f64, f64) {
        let (least, worst) = (self.least.contention, self.worst.contention);
        (self.likely.contention, least, worst)
    }

    /// What no number of instances exceeds; infinite where they do not hinder each other, and what one takes where more of
    /// them take less.
    pub(crate) fn ceiling(&self) -> f64 {
        self.likely.one / self.likely.contention.min(1.0)
    }

    /// How many instances carry so much: likely, at best, at worst; `None`: no number of them does.
    pub(crate) fn carry(&self, want: u64) -> (Option<u64>, Option<u64>, Option<u64>) {
        let carry = |line: Line| line.carry(want);
        (carry(self.likely), carry(self.least), carry(self.worst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(instances: u64, held: u64) -> Together {
        Together {
            instances,
            held,
            broke: Some(held * 105 / 100),
        }
    }

    #[test]
    fn instances_that_do_not_hinder_each_other_add_up() {
        // As noise has it: within the ends of the answers.
        let all = [together(1, 610), together(2, 1_190), together(3, 1_800)];
        let scale = ScaleOut::of(&all).unwrap();
        let (likely, least, worst) = scale.contention();
        assert!(likely.abs() < 1e-9 && least.abs() < 1e-9, "{scale:?}");
        assert!((0.01..0.08).contains(&worst), "{worst}");
        let (likely, least, worst) = scale.carry(5_950);
        assert_eq!(likely, Some(10));
        assert!(least <= likely && worst > likely, "{least:?} {worst:?}");
    }

    #[test]
    fn contention_is_found_and_ends_what_can_be_carried() {
        // λ 600, σ 0.1: at most 6,000 by any number of instances.
        let load = |n: f64| crate::units::rounded(600.0 * n / (1.0 + 0.1 * (n - 1.0)));
        let all = [1_u64, 2, 3].map(|n| together(n, load(n as f64)));
        let scale = ScaleOut::of(&all).unwrap();
        assert!((scale.contention().0 - 0.1).abs() < 0.002, "{scale:?}");
        // 2,400 / 600 = 4 loads: 4 · 0.9 / (1 − 0.4) = 6.
        assert_eq!(scale.carry(2_390).0, Some(6));
        assert_eq!(scale.carry(6_100).0, None);
        assert!((5_900.0..6_100.0).contains(&scale.ceiling()), "{scale:?}");
    }

    #[test]
    fn where_more_take_less_one_is_the_most() {
        let scale = ScaleOut::of(&[together(1, 1_000), together(2, 700)]).unwrap();
        assert!((scale.ceiling() - 1_000.0).abs() < 1e-6, "{scale:?}");
        assert_eq!((scale.carry(900).0, scale.carry(1_100).0), (Some(1), None));
    }

    #[test]
    fn one_number_of_instances_says_nothing_of_others() {
        assert_eq!(ScaleOut::of(&[together(2, 10), together(2, 11)]), None);
        assert_eq!(ScaleOut::of(&[together(1, 10), together(2, 0)]), None);
        assert_eq!(ScaleOut::of(&[]), None);
    }
}
