//! This module holds the gate to what it promises, on runs whose truth is known: `cargo xtask bench gate`.

use super::comparison::{Decision, Outcome, Role, Word};
use super::decision::decide;
use super::metric::{Metric, Part};
use super::prospect;
use super::rules::{Pairing, Rules};
use super::sides::Named;
use super::statistics::{Design, of_values, paired, two_samples};
use super::synthetic::{Dice, Noise, Truth, apart, pairs};
use crate::format::append;
use crate::stage::Stage;

const GATES: u32 = 2_000;
const SAMPLES: u32 = 4_000;

fn gate([base, new]: &[Vec<super::facts::RunFacts>; 2], rules: &Rules) -> Decision {
    let named = |name: &str, runs| Named {
        name: name.to_owned(),
        runs,
    };
    decide(
        &named("base", base),
        &named("new", new),
        Pairing::ByTime,
        rules,
    )
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole)
}

/// Same server on both sides, 2,000 gates of each shape of noise.
fn same_twice() {
    println!("A/A gates            failed   passed   cannot tell");
    let rules = Rules::default();
    for noise in Noise::ALL {
        let mut dice = Dice::new(1);
        let truth = Truth {
            noise,
            ..Truth::calm()
        };
        let (mut failed, mut passed) = (0, 0);
        for number in 0..GATES {
            let sides = match number % 6 {
                0 => pairs(&mut dice, 3, truth, truth),
                1 => pairs(&mut dice, 5, truth, truth),
                2 => pairs(&mut dice, 8, truth, truth),
                3 => pairs(&mut dice, 20, truth, truth),
                4 => apart(&mut dice, [10, 5], truth, truth),
                _ => apart(&mut dice, [8, 8], truth, truth),
            };
            let decision = gate(&sides, &rules);
            failed += u32::from(decision.outcome == Outcome::Slower);
            passed += u32::from(decision.outcome == Outcome::Pass);
        }
        let (failed, passed) = (percent(failed, GATES), percent(passed, GATES));
        println!(
            "{:<18}{failed:>7.2} %{passed:>7.1} %{:>10.1} %",
            format!("{noise:?}"),
            100.0 - failed - passed
        );
        assert!(failed <= 2.0, "{noise:?}: {failed} % of A/A gates failed");
    }
}

/// 10 % slower, at the number of pairs of which the noise of twelve A/A runs promised that it is found.
fn slower_is_found() {
    const ASKED: u32 = 300;
    const KNOWN_RUNS: usize = 12;
    println!("\n10 % slower          pairs promised (median)   found");
    let primary = Metric::latency(Stage::TaskQueued, Part::P50);
    for scale in [0.25, 0.5, 1.0] {
        let mut dice = Dice::new(2);
        let truth = |factor| Truth {
            scale,
            factor,
            ..Truth::calm()
        };
        let (mut found, mut promised) = (0, Vec::new());
        for _ in 0..ASKED {
            let [known, _] = apart(&mut dice, [KNOWN_RUNS, 0], truth(1.0), truth(1.0));
            let values: Vec<f64> = known.iter().map(|run| run.values[&primary].ln()).collect();
            let spread = of_values(&values).unwrap();
            let mut rules = Rules {
                primary: primary.clone(),
                ..Rules::default()
            };
            let enough = |pairs: &usize| {
                let design = Design::Paired { pairs: *pairs };
                let finds = prospect::finds(design, &rules, &primary, (500.0, spread));
                finds.is_some_and(|finds| finds <= 0.1)
            };
            let needed = (3..200).find(enough).unwrap();
            promised.push(needed);
            rules.noise.insert(primary.clone(), spread);
            let sides = pairs(&mut dice, needed, truth(1.0), truth(1.1));
            let decision = gate(&sides, &rules);
            let row = decision
                .rows
                .iter()
                .find(|row| row.role == Role::Primary)
                .unwrap();
            found += u32::from(row.word == Word::Slower);
        }
        promised.sort_unstable();
        let (share, median) = (percent(found, ASKED), promised[promised.len() / 2]);
        let noise = 6.6 * scale;
        println!("noise {noise:>4.1} %{median:>24}{share:>16.1} %");
        assert!(share >= 95.0, "{share} % at noise {noise} %");
    }
}

/// How often the 95 % interval holds the truth.
fn coverage() {
    const TRUTH: f64 = 0.05;
    println!("\ncoverage of the 95 % interval, pairs");
    println!(
        "{:<18}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "runs of a side", 3, 5, 8, 12, 20
    );
    for noise in Noise::ALL {
        let mut line = format!("{:<18}", format!("{noise:?}"));
        let mut two = format!("{:<18}", format!("{noise:?}, apart"));
        for runs in [3, 5, 8, 12, 20] {
            let mut dice = Dice::new(3);
            let (mut held, mut held_apart) = (0, 0);
            for _ in 0..SAMPLES {
                let side = |dice: &mut Dice, more: f64| -> Vec<f64> {
                    (0..runs).map(|_| more + 0.07 * dice.noise(noise)).collect()
                };
                let (base, new) = (side(&mut dice, 0.0), side(&mut dice, TRUTH));
                let both: Vec<(f64, f64)> = base.iter().copied().zip(new.iter().copied()).collect();
                let holds = |(low, high): (f64, f64)| u32::from(low <= TRUTH && TRUTH <= high);
                held += holds(paired(&both, 0.0).unwrap().interval(0.95));
                held_apart += holds(two_samples(&base, &new, 0.0).unwrap().interval(0.95));
            }
            let (share, share_apart) = (percent(held, SAMPLES), percent(held_apart, SAMPLES));
            append(&mut line, format_args!("{share:>6.1} %"));
            append(&mut two, format_args!("{share_apart:>6.1} %"));
            assert!(
                (93.0..=97.5).contains(&share),
                "{noise:?} {runs}: {share} %"
            );
        }
        println!("{line}\n{two}");
    }
}

/// The bootstraps that the gate does not use, on pairs with normal noise.
fn bootstraps() {
    const TIMES: u32 = 600;
    const RESAMPLES: usize = 999;
    println!("\nbootstrap instead, normal noise");
    println!("{:<18}{:>8}{:>8}{:>8}{:>8}{:>8}", "pairs", 3, 5, 8, 12, 20);
    let mut lines = ["percentile", "BCa", "bootstrap-t"].map(|name| format!("{name:<18}"));
    for count in [3, 5, 8, 12, 20] {
        let mut dice = Dice::new(4);
        let mut held = [0; 3];
        for _ in 0..TIMES {
            let values: Vec<f64> = (0..count).map(|_| dice.normal()).collect();
            let found = bootstrap::intervals(&values, RESAMPLES, &mut dice);
            for (held, (low, high)) in held.iter_mut().zip(found) {
                *held += u32::from(low <= 0.0 && 0.0 <= high);
            }
        }
        for (line, held) in lines.iter_mut().zip(held) {
            append(line, format_args!("{:>6.1} %", percent(held, TIMES)));
        }
    }
    println!("{}", lines.join("\n"));
}

/// Bootstrap intervals of a mean. **Source:** `DiCiccio` and Efron, "Bootstrap confidence intervals" (1996).
mod bootstrap {
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::super::synthetic::Dice;

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn error(values: &[f64]) -> f64 {
        let mean = mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let count = values.len() as f64;
        (squares / (count - 1.0) / count).sqrt()
    }

    fn at(sorted: &[f64], share: f64) -> f64 {
        let place = share * (sorted.len() + 1) as f64;
        let place = crate::units::saturating_u32(crate::units::rounded(place)) as usize;
        sorted[place.clamp(1, sorted.len()) - 1]
    }

    /// Percentile, `BCa`, bootstrap-t: 95 %.
    pub(super) fn intervals(values: &[f64], resamples: usize, dice: &mut Dice) -> [(f64, f64); 3] {
        let (centre, spread) = (mean(values), error(values));
        let (mut means, mut studentised) = (Vec::new(), Vec::new());
        for _ in 0..resamples {
            let sample: Vec<f64> = (0..values.len())
                .map(|_| values[dice.below(values.len())])
                .collect();
            means.push(mean(&sample));
            let t = (mean(&sample) - centre) / error(&sample);
            if t.is_finite() {
                studentised.push(t);
            }
        }
        means.sort_by(f64::total_cmp);
        studentised.sort_by(f64::total_cmp);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let below = means.iter().filter(|mean| **mean < centre).count();
        let bias = normal.inverse_cdf((below as f64 + 0.5) / (resamples + 1) as f64);
        let (mut cubes, mut squares) = (0.0, 0.0);
        for left_out in values {
            let rest = (centre * values.len() as f64 - left_out) / (values.len() - 1) as f64;
            cubes += (centre - rest).powi(3);
            squares += (centre - rest).powi(2);
        }
        let skew = cubes / (6.0 * squares.powf(1.5));
        let corrected = |share: f64| {
            let z = bias + normal.inverse_cdf(share);
            normal.cdf(bias + z / (1.0 - skew * z))
        };
        [
            (at(&means, 0.025), at(&means, 0.975)),
            (at(&means, corrected(0.025)), at(&means, corrected(0.975))),
            (
                centre - at(&studentised, 0.975) * spread,
                centre - at(&studentised, 0.025) * spread,
            ),
        ]
    }
}

#[test]
#[ignore = "slow: thousands of gates on synthetic runs (cargo xtask bench gate)"]
fn the_gate_keeps_its_promises_on_synthetic_runs() {
    coverage();
    bootstraps();
    slower_is_found();
    same_twice();
}
