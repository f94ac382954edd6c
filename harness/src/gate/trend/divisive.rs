//! This module finds where a history of measurements changed its level.
//!
//! **In:** numbers in order of time. **Out:** [`Split`]s: the first number of each new level, and how often as much would be
//! seen by chance. Nothing is assumed of the shape of the noise, but that neighbours are independent.
//!
//! **Method.** E-divisive: the stretch is split where the energy distance of what lies before and right after is largest; a
//! permutation test says whether a stretch without a change would split as well; then both parts are split in turn. What
//! lies right after may end before the stretch does, so that a hump is found whose ends cancel out.
//!
//! **Source:** Matteson and James, "A nonparametric approach for multiple change point analysis of multivariate data"
//! (JASA 2014); Székely and Rizzo on energy distance (2013).

use crate::plan::seed::{Purpose, Stream};

/// Fewest numbers between two changes: a level of two is noise.
pub(crate) const LEAST: usize = 3;
/// Most numbers that are looked at: the time taken grows with their square.
pub(crate) const POINTS_MAX: usize = 400;
/// How often chance is asked.
pub(crate) const PERMUTATIONS: u32 = 499;
/// A change is none that chance shows more often than this.
pub(crate) const LEVEL: f64 = 0.01;
/// Chance is the same for the same history.
const SEED: u64 = 1;

/// Where a new level begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Split {
    pub at: usize,
    /// How often a stretch without a change splits as well as this one; at least one in [`PERMUTATIONS`] and one.
    pub p: f64,
}

/// Every change of level, in order of time. Of more than [`POINTS_MAX`] numbers, or such as are not finite, none.
pub(crate) fn splits(values: &[f64]) -> Vec<Split> {
    let mut found = Vec::new();
    if values.len() > POINTS_MAX || !values.iter().all(|value| value.is_finite()) {
        return found;
    }
    let mut chance = Stream::new(SEED, Purpose::Permutation, 0);
    let mut open = vec![(0, values.len())];
    while let Some((from, to)) = open.pop() {
        if let Some(split) = split(&values[from..to], &mut chance) {
            let at = from + split.at;
            found.push(Split { at, p: split.p });
            open.extend([(from, at), (at, to)]);
        }
    }
    found.sort_by_key(|split| split.at);
    found
}

/// The best split of a stretch, unless chance splits as well.
fn split(values: &[f64], chance: &mut Stream) -> Option<Split> {
    let mut table = Table::default();
    let (at, energy) = table.best(values)?;
    let mut shuffled = values.to_vec();
    let too_many = LEVEL * f64::from(PERMUTATIONS + 1);
    let mut as_good = 1;
    for _ in 0..PERMUTATIONS {
        shuffle(&mut shuffled, chance);
        // Sums of the same differences in another order may end a hair apart.
        let reached = |(_, other): (usize, f64)| other >= energy * (1.0 - 1e-9);
        as_good += u32::from(table.best(&shuffled).is_some_and(reached));
        if f64::from(as_good) > too_many {
            return None;
        }
    }
    let p = f64::from(as_good) / f64::from(PERMUTATIONS + 1);
    Some(Split { at, p })
}

/// Fisher and Yates.
fn shuffle(values: &mut [f64], chance: &mut Stream) {
    for last in (1..values.len()).rev() {
        let other = usize::try_from(chance.below(last as u64 + 1)).unwrap_or(last);
        values.swap(last, other);
    }
}

/// Sums of distances: `sums[i * width + j]` is how far number `i` is from all numbers before number `j` together.
#[derive(Default)]
struct Table {
    sums: Vec<f64>,
}

impl Table {
    /// Where the energy distance is largest, and how large; `None` of a stretch too short, or whose numbers are all equal.
    fn best(&mut self, values: &[f64]) -> Option<(usize, f64)> {
        let count = values.len();
        let width = count + 1;
        self.sums.clear();
        for value in values {
            let mut sum = 0.0;
            self.sums.push(sum);
            for other in values {
                sum += (value - other).abs();
                self.sums.push(sum);
            }
        }
        let apart = |of: usize, before: usize| self.sums[of * width + before];
        let mut best = None;
        let mut most = 0.0;
        // Distances among those before `at`.
        let mut left = 0.0;
        for at in 1..count {
            left += apart(at - 1, at - 1);
            if at < LEAST {
                continue;
            }
            let (mut right, mut between) = (0.0, 0.0);
            for end in at + 1..=count {
                right += apart(end - 1, end - 1) - apart(end - 1, at);
                between += apart(end - 1, at);
                if end - at < LEAST {
                    continue;
                }
                let energy = energy(at as f64, (end - at) as f64, left, right, between);
                if energy > most {
                    most = energy;
                    best = Some((at, energy));
                }
            }
        }
        best
    }
}

/// The energy distance of two samples of so many, by the sums of distances within and between.
fn energy(before: f64, after: f64, left: f64, right: f64, between: f64) -> f64 {
    let pairs = |count: f64| count * (count - 1.0) / 2.0;
    let distance = 2.0 * between / (before * after) - left / pairs(before) - right / pairs(after);
    distance * before * after / (before + after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::synthetic::{Dice, Noise};

    fn history(dice: &mut Dice, noise: Noise, levels: &[(usize, f64)]) -> Vec<f64> {
        let level = |&(count, level): &(usize, f64)| std::iter::repeat_n(level, count);
        let levels: Vec<f64> = levels.iter().flat_map(level).collect();
        let noisy = |level: f64| level + 0.04 * dice.noise(noise);
        levels.into_iter().map(noisy).collect()
    }

    #[test]
    fn a_history_without_a_change_has_none() {
        for noise in Noise::ALL {
            let mut dice = Dice::new(5);
            let found = (0..200).filter(|_| {
                let values = history(&mut dice, noise, &[(30, 1.0)]);
                !splits(&values).is_empty()
            });
            let found = found.count();
            // One in a hundred is promised; seven are three standard deviations more.
            assert!(found <= 7, "{noise:?}: {found} of 200");
        }
    }

    #[test]
    fn a_step_of_three_deviations_is_found_where_it_is() {
        for noise in Noise::ALL {
            let mut dice = Dice::new(6);
            let (mut found, mut exact) = (0, 0);
            for _ in 0..100 {
                let values = history(&mut dice, noise, &[(15, 1.0), (15, 1.12)]);
                let splits = splits(&values);
                found += u32::from(splits.iter().any(|split| split.at.abs_diff(15) <= 2));
                exact += u32::from(splits.first().is_some_and(|split| split.at == 15));
            }
            assert!(found >= 97 && exact >= 75, "{noise:?}: {found}, {exact}");
        }
    }

    #[test]
    fn a_hump_has_two_ends() {
        let mut dice = Dice::new(7);
        let levels = [(20, 1.0), (10, 1.2), (20, 1.0)];
        let values = history(&mut dice, Noise::Normal, &levels);
        let found: Vec<usize> = splits(&values).iter().map(|split| split.at).collect();
        assert_eq!(found, [20, 30]);
    }

    #[test]
    fn the_distance_is_that_of_its_definition() {
        // Between 0 0 1 and 4 5 6 the mean distance is 42/9, within 2/3 and 4/3.
        let (at, found) = Table::default()
            .best(&[0.0, 0.0, 1.0, 4.0, 5.0, 6.0])
            .unwrap();
        let expected = (2.0 * 42.0 / 9.0 - 2.0 / 3.0 - 4.0 / 3.0) * 9.0 / 6.0;
        assert_eq!(at, 3);
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn what_says_nothing_says_so() {
        assert_eq!(splits(&[]), []);
        assert_eq!(splits(&[1.0; 5]), []);
        assert_eq!(splits(&[1.0; 50]), [], "all equal");
        let clear: Vec<f64> = (0..8).map(|place| f64::from(place / 4)).collect();
        assert_eq!(splits(&clear), [], "of eight, chance does as well");
        assert_eq!(splits(&[f64::NAN; 20]), []);
        assert_eq!(splits(&vec![1.0; POINTS_MAX + 1]), []);
        let clear: Vec<f64> = (0..10).map(|place| f64::from(place / 5)).collect();
        assert_eq!(splits(&clear).len(), 1);
    }
}
