//! This module makes runs with a truth that is known: chosen effect, chosen noise.
//!
//! **In:** a seed, noise, effect. **Out:** facts of runs as a result would give them.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::facts::{Counts, Ended, HostClass, PlanPrint, RunEnd, RunFacts};
use super::metric::{Metric, Part};
use super::wait::Waits;
use crate::stage::Stage;

/// The shape of the noise, each with the same standard deviation of the logarithm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    Normal,
    /// Student's t with five degrees: now and then far out.
    Heavy,
    /// One run in ten is slower by much: another tenant of the machine.
    Spiky,
}

impl Noise {
    pub(crate) const ALL: [Self; 3] = [Self::Normal, Self::Heavy, Self::Spiky];
}

/// Chance, from a seed.
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(crate) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        crate::units::saturating_u32(self.0.next_u64() >> 33) as usize % bound
    }

    /// Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Of that shape, with mean 0 and deviation 1.
    pub(crate) fn noise(&mut self, noise: Noise) -> f64 {
        match noise {
            Noise::Normal => self.normal(),
            Noise::Heavy => {
                let squares: f64 = (0..5).map(|_| self.normal().powi(2)).sum();
                let t = self.normal() / (squares / 5.0).sqrt();
                // The variance of t with five degrees is 5/3.
                t / (5.0_f64 / 3.0).sqrt()
            }
            Noise::Spiky => {
                let spike = if self.unit() < 0.1 { 3.0 } else { 0.0 };
                // Mean 0.3, variance 1 + 0.9 · 0.1 · 9.
                (self.normal() + spike - 0.3) / 1.81_f64.sqrt()
            }
        }
    }
}

/// What the metrics of `smoke` are, and how they vary from run to run: own time or cost, deviation of its logarithm.
fn usual() -> Vec<(Metric, f64, f64)> {
    vec![
        (Metric::latency(Stage::Complete, Part::P50), 600.0, 0.07),
        (Metric::latency(Stage::Complete, Part::P99), 3_000.0, 0.4),
        (Metric::latency(Stage::TaskQueued, Part::P50), 500.0, 0.066),
        (
            Metric::latency(Stage::SessionReady, Part::P50),
            1_500.0,
            0.1,
        ),
        (Metric::latency(Stage::Token, Part::P50), 900.0, 0.11),
        (Metric::ServerCpu, 700.0, 0.064),
        (Metric::RelativeCpu, 1.5, 0.03),
        (Metric::ServerMemory, 43_000.0, 0.01),
    ]
}

const WAIT_US: u64 = 31_000;

/// How one side behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    pub noise: Noise,
    /// Share of the deviation that all metrics of a run have in common.
    pub together: f64,
    /// Noise of `smoke`, times this.
    pub scale: f64,
    /// Own time and cost are so many times as much.
    pub factor: f64,
}

impl Truth {
    pub(crate) const fn calm() -> Self {
        Self {
            noise: Noise::Normal,
            together: 0.5,
            scale: 1.0,
            factor: 1.0,
        }
    }
}

/// One run; `drift` is what the machine does to it and to whatever lies beside it, as a logarithm.
pub(crate) fn run(dice: &mut Dice, number: usize, truth: Truth, drift: f64) -> RunFacts {
    let common = dice.noise(truth.noise);
    let apart = (1.0 - truth.together.powi(2)).sqrt();
    let mut values = BTreeMap::new();
    for (metric, usual, deviation) in usual() {
        let noise = truth.together * common + apart * dice.noise(truth.noise);
        let own = usual * truth.factor * (drift + truth.scale * deviation * noise).exp();
        let is_complete = metric.stage() == Some(Stage::Complete);
        let wait = if is_complete { WAIT_US as f64 } else { 0.0 };
        values.insert(metric, ((own + wait) * 1e3).round() / 1e3);
    }
    RunFacts {
        id: format!("r-{number:08x}"),
        started_at: format!("2026-01-01T00:{:02}:{:02}.000Z", number / 60, number % 60),
        scenario: "scenarios/smoke.toml".to_owned(),
        title: "smoke".to_owned(),
        harness_version: "0.1.0".to_owned(),
        commit: None,
        plan: PlanPrint {
            load: "a".repeat(64),
            environment: Some("b".repeat(64)),
            whole: "c".repeat(64),
        },
        host: HostClass {
            cores: 2,
            memory_gib: 24,
            kernel: "Linux 6.18".to_owned(),
            cpu: None,
        },
        end: RunEnd {
            exit_code: 0,
            status: Ended::Pass,
            sentence: "All held.".to_owned(),
            aborted: None,
        },
        values,
        counts: Counts {
            sent: 667,
            completed: 667,
            ..Counts::default()
        },
        waits: Waits {
            us: [(Stage::FirstChunk, 11_000), (Stage::Complete, WAIT_US)].into(),
            unknown: Vec::new(),
        },
        curve: Vec::new(),
        lines: [("complete p99".to_owned(), 17), ("complete".to_owned(), 17)].into(),
    }
}

/// Runs of both sides that took turns on a machine that drifts.
pub(crate) fn pairs(dice: &mut Dice, pairs: usize, base: Truth, new: Truth) -> [Vec<RunFacts>; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        let drift = 0.05 * (pair as f64 / 3.0).sin();
        sides[0].push(run(dice, 2 * pair, base, drift));
        sides[1].push(run(dice, 2 * pair + 1, new, drift));
    }
    sides
}

/// Runs of a baseline, and new ones of another day of the same machine.
pub(crate) fn apart(
    dice: &mut Dice,
    counts: [usize; 2],
    base: Truth,
    new: Truth,
) -> [Vec<RunFacts>; 2] {
    let side = |dice: &mut Dice, from: usize, count: usize, truth| {
        (0..count)
            .map(|place| run(dice, from + place, truth, 0.0))
            .collect()
    };
    let first = side(dice, 0, counts[0], base);
    let second = side(dice, counts[0], counts[1], new);
    [first, second]
}
