//! This module holds the intervals to what they promise, on probes whose truth is known.

use super::interval::Quantity;
use super::squares::{Row, Solution, Space, dot, residuals, solve};
use super::{Observation, StudentsT, Usl, axes, terms};
use crate::plan::seed::{Purpose, Stream};
use statrs::distribution::ContinuousCDF;

/// A service whose law is known, and how it is probed.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub lambda: f64,
    pub sigma: f64,
    pub kappa: f64,
    /// Smallest and largest load; those between are geometric.
    pub loads: [f64; 2],
    pub points: u32,
    /// Standard deviation of the noise, and its shape.
    pub noise: f64,
    pub draw: fn(&mut Stream) -> f64,
}

impl Case {
    pub(super) fn throughput(&self, load: f64) -> f64 {
        let more = load - 1.0;
        self.lambda * load / (1.0 + self.sigma * more + self.kappa * load * more)
    }

    fn heading(&self) -> String {
        let Self {
            sigma,
            kappa,
            points,
            loads: [least, most],
            ..
        } = self;
        let percent = 100.0 * self.noise;
        format!("{sigma:<5}{kappa:<9}{least:>4} to {most:<5}{points:>3}{percent:>3.0} %")
    }

    pub(super) fn peak_load(&self) -> f64 {
        ((1.0 - self.sigma) / self.kappa).sqrt()
    }

    pub(super) fn observed(&self, stream: &mut Stream) -> Vec<Observation> {
        let [least, most] = self.loads;
        let step = (most / least).powf(1.0 / f64::from(self.points - 1));
        (0..self.points)
            .map(|point| {
                let load = (least * step.powi(point.cast_signed())).round();
                let throughput = self.throughput(load) * (self.noise * (self.draw)(stream)).exp();
                Observation { load, throughput }
            })
            .collect()
    }
}

/// Normal, by Box and Muller.
pub(super) fn normal(stream: &mut Stream) -> f64 {
    let radius = (-2.0 * (1.0 - stream.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * stream.unit()).cos()
}

/// Double exponential of deviation 1: twice the outliers.
fn heavy(stream: &mut Stream) -> f64 {
    let sign = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
    -sign * (1.0 - stream.unit()).ln() / 2.0_f64.sqrt()
}

/// Exponential of mean 0 and deviation 1: probes are slow now and then, and never fast.
fn skewed(stream: &mut Stream) -> f64 {
    1.0 + (1.0 - stream.unit()).ln()
}

type Shape = (&'static str, fn(&mut Stream) -> f64);
const SHAPES: [Shape; 3] = [("normal", normal), ("heavy", heavy), ("skewed", skewed)];

pub(super) const CASES: [Case; 9] = [
    case([0.05, 1e-3], [1.0, 64.0], 8, 0.03),
    case([0.02, 1e-4], [4.0, 256.0], 10, 0.02),
    case([0.1, 1e-4], [2.0, 300.0], 8, 0.05),
    case([0.2, 1e-5], [1.0, 1_000.0], 12, 0.05),
    case([0.02, 1e-6], [50.0, 3_200.0], 7, 0.03),
    case([0.1, 1e-6], [100.0, 3_200.0], 6, 0.02),
    case([0.05, 1e-5], [10.0, 1_000.0], 6, 0.05),
    case([0.02, 1e-5], [1.0, 1_000.0], 12, 0.02),
    case([0.1, 1e-6], [1.0, 128.0], 8, 0.03),
];

const fn case([sigma, kappa]: [f64; 2], loads: [f64; 2], points: u32, noise: f64) -> Case {
    Case {
        lambda: 40.0,
        sigma,
        kappa,
        loads,
        points,
        noise,
        draw: normal,
    }
}

/// How often the truth was inside: λ, σ, κ, load and throughput of the peak, the curve at twice the
/// largest load.
pub(super) fn covered(cases: &[Case], trials: u32, seed: u64) -> ([u32; 6], u32) {
    let (mut inside, mut refused) = ([0; 6], 0);
    for (trial, case) in (0..trials).zip(cases.iter().cycle()) {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, trial);
        let Ok(law) = Usl::fit(&case.observed(&mut stream)) else {
            refused += 1;
            continue;
        };
        let (peak, far) = (case.peak_load(), 2.0 * law.load_max);
        let all = [
            (law.lambda, case.lambda),
            (law.sigma, case.sigma),
            (law.kappa, case.kappa),
            (law.peak_load, peak),
            (law.peak_throughput, case.throughput(peak)),
            (law.predict(far).throughput, case.throughput(far)),
        ];
        for (count, (found, truth)) in inside.iter_mut().zip(all) {
            *count += u32::from(found.low <= truth && truth <= found.high);
        }
    }
    (inside, refused)
}

/// Resamples of a bootstrap, and trials of the usual intervals.
const RESAMPLES: u32 = 199;
const USUAL_TRIALS: u32 = 100;

/// Values of the quantities, and their standard errors by linearisation.
fn values(rows: &[Row], quantities: &[Quantity; 3]) -> Option<([(f64, f64); 3], Solution)> {
    let fit = solve(rows, &Space::axes([true; 3]))?;
    let noise = (fit.squares / (rows.len() - 3) as f64).sqrt();
    let value = |quantity: &Quantity| {
        let error = noise * fit.error_of(&quantity.gradient(&fit.beta));
        (quantity.of(&fit.beta), error)
    };
    Some((quantities.each_ref().map(value), fit))
}

/// The usual intervals, by quantity: t times the standard error, percentiles of fits to resampled
/// residuals, the same studentised.
fn usual(
    rows: &[Row],
    quantities: &[Quantity; 3],
    stream: &mut Stream,
) -> Option<[[(f64, f64); 3]; 3]> {
    let (here, fit) = values(rows, quantities)?;
    let (left, degrees) = (residuals(rows, &fit.beta)?, (rows.len() - 3) as f64);
    let wider = (left.len() as f64 / degrees).sqrt();
    let mut lists: [[Vec<f64>; 2]; 3] = Default::default();
    for _ in 0..RESAMPLES {
        let mut rows = rows.to_vec();
        for row in &mut rows {
            let which = usize::try_from(stream.below(left.len() as u64)).ok()?;
            row.log = dot(&row.terms, &fit.beta).ln() + wider * left[which];
        }
        let Some((again, _)) = values(&rows, quantities) else {
            continue;
        };
        for ((lists, (value, error)), (centre, _)) in lists.iter_mut().zip(again).zip(here) {
            lists[0].push(value);
            lists[1].push((value - centre) / error);
        }
    }
    let t = StudentsT::new(0.0, 1.0, degrees).ok()?.inverse_cdf(0.975);
    let mut found = [[(0.0, 0.0); 3]; 3];
    for ((found, lists), (value, error)) in found.iter_mut().zip(&mut lists).zip(here) {
        let [(low, high), (t_low, t_high)] = lists.each_mut().map(|list| {
            list.sort_by(f64::total_cmp);
            // The 2.5 % at either end.
            let out = (list.len() + 1) / 40;
            (list[out - 1], list[list.len() - out])
        });
        *found = [
            (value - t * error, value + t * error),
            (low, high),
            (value - error * t_high, value - error * t_low),
        ];
    }
    Some(found)
}

/// How often the usual intervals hold 1 / λ, σ and κ.
fn usual_covered(case: &Case, trials: u32) -> [[u32; 3]; 3] {
    let mut inside = [[0; 3]; 3];
    let most = case.loads[1];
    let ([_, second, third], whole) = (axes(most), terms(1.0, most));
    let ratio = |part| Quantity::Ratio { part, whole };
    let quantities = [Quantity::Sum(whole), ratio(second), ratio(third)];
    let truths = [1.0 / case.lambda, case.sigma, case.kappa];
    for trial in 0..trials {
        let mut stream = Stream::new(2, Purpose::Bootstrap, trial);
        let row = |seen: &Observation| Row::of(seen, most);
        let rows: Vec<Row> = case.observed(&mut stream).iter().map(row).collect();
        let found = usual(&rows, &quantities, &mut stream).unwrap_or_default();
        for ((counts, found), truth) in inside.iter_mut().zip(found).zip(truths) {
            for (count, (low, high)) in counts.iter_mut().zip(found) {
                *count += u32::from(low <= truth && truth <= high);
            }
        }
    }
    inside
}

fn percents<const COUNT: usize>(counts: [u32; COUNT], of: u32) -> String {
    let percent = |count| format!("{:>8.1}", 100.0 * f64::from(count) / f64::from(of));
    counts.map(percent).concat()
}

/// Three standard errors of 500 trials at 95 %.
const APART: u32 = 15;

#[test]
#[ignore = "slow: thousands of fits"]
fn the_intervals_keep_their_promise() {
    const TRIALS: u32 = 500;
    const EXPECTED: u32 = TRIALS * 95 / 100;
    println!("{TRIALS} trials a line: % of intervals that hold the truth");
    println!(
        "{:<35}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8} refused",
        "σ, κ, loads, points, noise", "λ", "σ", "κ", "N max", "X max", "X far"
    );
    let mut failed = Vec::new();
    for case in &CASES {
        let (inside, refused) = covered(&[*case], TRIALS, 1);
        let heading = case.heading();
        println!(
            "{heading}{} {refused:>7}",
            percents(inside, TRIALS - refused)
        );
        if inside
            .iter()
            .any(|inside| inside.abs_diff(EXPECTED) > APART)
        {
            failed.push(heading);
        }
    }
    // Trials of all cases, in turns.
    for (name, draw) in SHAPES {
        let cases = CASES.map(|case| Case { draw, ..case });
        let (inside, refused) = covered(&cases, TRIALS, 2);
        let heading = format!("all, {name:<30}");
        println!(
            "{heading}{} {refused:>7}",
            percents(inside, TRIALS - refused)
        );
        let [coefficients @ .., _, _, _] = inside;
        let promised = |inside: &u32| (TRIALS * 93..=TRIALS * 97).contains(&(100 * inside));
        if name == "normal" && !coefficients.iter().all(promised) {
            failed.push(heading);
        }
    }
    println!("1 / λ, σ, κ of each: standard error, percentiles of residuals, the same studentised");
    for case in &CASES {
        let inside = usual_covered(case, USUAL_TRIALS);
        println!(
            "{}{}",
            case.heading(),
            inside.map(|one| percents(one, USUAL_TRIALS)).join("  |")
        );
    }
    assert!(failed.is_empty(), "{failed:?}");
}
