//! This module fits the Universal Scalability Law to probes.
//!
//! X(N) = λN / (1 + σ(N - 1) + κN(N - 1)).
//!
//! **In:** [`Observation`]s, several of one load allowed. **Out:** a [`Usl`]: λ (throughput of a
//! load of 1), σ (share that waits for its turn), κ (cost of keeping each pair in agreement), where
//! throughput peaks and at how much, each with its 95 % interval, and the curve at any load with
//! its own. Or a [`Refusal`].
//!
//! **Noise is relative.** A probe at ten times the throughput is off by ten times as many messages.
//! The fit is on logarithms, where all points deviate alike; on throughputs the points about the
//! peak would decide, and λ and σ, which the small loads know, would be guessed.
//!
//! **Linear within.** N / X = a + bN + cN(N - 1) with a = (1 - σ) / λ, b = σ / λ, c = κ / λ, none
//! of them below 0 (σ is at most 1). Noise may want one below 0: the estimate stays at 0, and the
//! interval is cut there.
//!
//! **Intervals** are profiles of the likelihood with Student's t (`interval`), and nothing is left
//! to chance. Over eight services (σ 0.02 to 0.2, κ 1e-6 to 1e-3, 6 to 12 probes to beyond the
//! peak, noise of 2 to 5 %; `bench` has them) they hold λ, σ and κ in 94.3 to 96.0 % of 4,000
//! trials each, the peak and the curve at twice the largest load in 94.6 to 96.1 %; where the peak
//! is seven times beyond the largest load, all in 95.4 to 97.4 %. Percentiles of resampled
//! residuals hold 84 to 93 %: six residuals are too few to draw from. Studentised they hold 89 to
//! 97 %, at the price of hundreds of fits. Standard errors with t hold as much as profiles, but
//! have no infinite end where points hardly tell. Outliers (double exponential noise) leave 91 to
//! 97 %; probes that are slow now and then, and never fast, 93 to 97 %, but of the throughput at
//! the peak 88 to 95 %.
//!
//! **Source:** Gunther, Guerrilla Capacity Planning (2007), 4 to 6; Bates and Watts, Nonlinear
//! Regression Analysis (1988), 6.1 (profile t).

#[cfg(test)]
mod bench;
mod interval;
mod observation;
mod refusal;
mod squares;
#[cfg(test)]
mod tests;

use interval::{Profile, Quantity};
pub(crate) use observation::Observation;
use observation::{by_load, within};
pub(crate) use refusal::Refusal;
use refusal::{Limit, Squares, shape, span};
use squares::{Row, Solution, Space, Vector, dot, solve};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Either side of a 95 % interval leaves out so much.
const TAIL: f64 = 0.025;
/// No throughput is known more exactly than this share of it.
const NOISE_RATIO_MIN: f64 = 1e-6;
/// The peak is looked for up to so many times the largest load.
const REACH_MAX: f64 = 1e3;
/// Rounds in which the band's peak is closed in on.
const PEAK_ROUNDS: u32 = 6;

/// A number and its 95 % interval, which holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Infinite where the best curve has no peak: its load then is, and its throughput is what the
    /// curve tends to.
    pub value: f64,
    pub low: f64,
    /// Infinite where the points set no upper end.
    pub high: f64,
}

/// The curve at a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prediction {
    /// Messages per second that the law has there: of the curve, not of one more probe, which adds
    /// its own noise.
    pub throughput: Estimate,
    /// The load over the largest observed one: above 1 is extrapolated, 4 is four times as far as
    /// was measured.
    pub reach: f64,
}

/// The law, fitted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Usl {
    /// Messages per second of a load of 1.
    pub lambda: Estimate,
    /// Contention, 0 to 1.
    pub sigma: Estimate,
    /// Coherency; 0 has no peak.
    pub kappa: Estimate,
    /// The load at which throughput is highest.
    pub peak_load: Estimate,
    /// Messages per second there.
    pub peak_throughput: Estimate,
    /// Standard deviation of the points about the curve, as a share of the throughput.
    pub noise_ratio: f64,
    /// Largest observed load.
    pub load_max: f64,
    profile: Profile,
}

impl Usl {
    /// The law of these points.
    pub(crate) fn fit(observations: &[Observation]) -> Result<Self, Refusal> {
        let loads = by_load(observations);
        let (least_load, load_max) = span(&loads)?;
        let rows = observations.iter().map(|one| Row::of(one, load_max));
        let rows: Vec<Row> = rows.collect();
        let degrees = (rows.len() - 3) as f64;
        // Squares that rounding alone would leave.
        let least = NOISE_RATIO_MIN.powi(2) * degrees;
        let other = Refusal::OtherShape {
            off_ratio: f64::INFINITY,
        };
        let line = solve(&rows, &Space::axes([true, false, false])).ok_or(other)?;
        let free = solve(&rows, &Space::axes([true; 3])).ok_or(other)?;
        let law = bounded(&rows, &free).ok_or(other)?;
        let squares = Squares {
            line: line.squares.max(least),
            law: law.squares.max(least),
            free: free.squares.max(least),
            within: within(&loads).max(least),
            least,
            points: rows.len(),
            loads: loads.len(),
        };
        shape(&squares, &Limit::of(&loads), load_max)?;
        if law.beta[0] + law.beta[1] <= 0.0 {
            return Err(Refusal::OnlyFalls { least: least_load });
        }
        let t =
            StudentsT::new(0.0, 1.0, degrees).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - TAIL));
        let allowed = |squares: f64| squares * (1.0 + t * t / degrees);
        // An estimate that noise has pushed beyond 0 must be inside its own interval.
        let squares_max = if law.squares <= allowed(squares.free) {
            allowed(squares.free)
        } else {
            allowed(squares.law)
        };
        let profile = Profile {
            rows,
            free,
            flat: false,
            beta: law.beta,
            squares_max,
        };
        Ok(Self::of(profile, (squares.law / degrees).sqrt(), load_max))
    }

    fn of(profile: Profile, noise_ratio: f64, load_max: f64) -> Self {
        let ratio = |[part, whole]: [Vector; 2], end: f64| {
            let quantity = Quantity::Ratio { part, whole };
            Estimate {
                value: quantity.of(&profile.beta),
                low: profile.end(&quantity, 0.0),
                high: profile.end(&quantity, end),
            }
        };
        let [first, second, third] = axes(load_max);
        let one = terms(1.0, load_max);
        let square = if profile.beta[0] > 0.0 {
            ratio([third, first], f64::INFINITY).inverse()
        } else {
            ratio([first, third], f64::INFINITY)
        };
        Self {
            lambda: curve(&profile, &one).inverse(),
            sigma: ratio([second, one], 1.0),
            kappa: ratio([third, one], f64::INFINITY),
            // No load is below 1; of a throughput that all loads have, the peak is at the first.
            peak_load: square.map(|square| square.sqrt().max(1.0)),
            peak_throughput: peak_throughput(&profile, load_max),
            noise_ratio,
            load_max,
            profile,
        }
    }

    /// The curve at a load of 1 or more.
    pub(crate) fn predict(&self, load: f64) -> Prediction {
        Prediction {
            throughput: throughput(&self.profile, load, self.load_max),
            reach: load / self.load_max,
        }
    }
}

impl Estimate {
    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            value: change(self.value),
            low: change(self.low),
            high: change(self.high),
        }
    }

    /// One over it; of something that is not below 0.
    fn inverse(self) -> Self {
        Self {
            value: 1.0 / self.value,
            low: 1.0 / self.high,
            high: 1.0 / self.low,
        }
    }
}

impl Row {
    fn of(seen: &Observation, load_max: f64) -> Self {
        Self {
            terms: terms(seen.load, load_max),
            log: (seen.load / seen.throughput).ln(),
        }
    }
}

/// What multiplies the coefficients at a load. The largest load is the unit, so that all three are
/// of one size.
fn terms(load: f64, load_max: f64) -> Vector {
    let share = load / load_max;
    [1.0, share, share * (load - 1.0) / load_max]
}

/// What makes a, b and c of the coefficients.
fn axes(load_max: f64) -> [Vector; 3] {
    let unit = 1.0 / load_max;
    [[1.0, 0.0, 0.0], [0.0, unit, 0.0], [0.0, 0.0, unit * unit]]
}

/// The best fit with no coefficient below 0: the free one, or the best of those with some of them
/// at 0.
fn bounded(rows: &[Row], free: &Solution) -> Option<Solution> {
    let sound = |fit: &Solution| fit.beta.iter().all(|part| *part >= 0.0);
    if sound(free) {
        return Some(free.clone());
    }
    let choices = (1..7_u8).map(|choice| [1, 2, 4].map(|bit| choice & bit != 0));
    let fits = choices.filter_map(|choice| solve(rows, &Space::axes(choice)));
    fits.filter(sound)
        .min_by(|one, other| one.squares.total_cmp(&other.squares))
}

/// The interval of a sum of the coefficients, which is above 0.
fn curve(profile: &Profile, terms: &Vector) -> Estimate {
    let quantity = Quantity::Sum(*terms);
    Estimate {
        value: quantity.of(&profile.beta),
        low: profile.end(&quantity, 0.0),
        high: profile.end(&quantity, f64::INFINITY),
    }
}

fn throughput(profile: &Profile, load: f64, load_max: f64) -> Estimate {
    curve(profile, &terms(load, load_max))
        .inverse()
        .map(|per_unit| load * per_unit)
}

/// The load at which these coefficients have their peak.
fn peak_load(beta: &Vector, load_max: f64) -> f64 {
    let square = beta[0] / beta[2].max(0.0);
    (square.max(0.0).sqrt() * load_max).clamp(1.0, REACH_MAX * load_max)
}

/// The peak of the band: as every curve inside the band peaks between the peaks of its two edges,
/// the intervals of the curve at these loads are the interval of the peak. Each edge is followed to
/// its peak by turns: the curve at the edge has a peak, at whose load the edge is another curve.
/// Curves that may as well have no peak end at what they tend to.
fn peak_throughput(profile: &Profile, load_max: f64) -> Estimate {
    let [a, b, c] = axes(load_max).map(|axis| dot(&axis, &profile.beta));
    let value = if c > 0.0 {
        let load = (a / c).sqrt().max(1.0);
        1.0 / (a / load + b + c * (load - 1.0))
    } else {
        1.0 / b
    };
    let follow = |end: f64| {
        let (mut load, mut best) = (peak_load(&profile.beta, load_max), 0.0_f64);
        for _ in 0..PEAK_ROUNDS {
            let quantity = Quantity::Sum(terms(load, load_max));
            let edge = profile.end(&quantity, end);
            let fit = profile.fit_at(&quantity, edge)?;
            if end <= 0.0 && (edge <= 0.0 || fit.beta[2] <= 0.0) {
                return None;
            }
            best = best.max(load / edge);
            load = peak_load(&fit.beta, load_max);
        }
        Some(best)
    };
    let tended_to = || {
        let flat = profile.flattened()?;
        let [_, second, _] = axes(load_max);
        Some(1.0 / flat.end(&Quantity::Sum(second), 0.0))
    };
    Estimate {
        value,
        low: follow(f64::INFINITY).map_or(0.0, |low| low.min(value)),
        high: follow(0.0)
            .or_else(tended_to)
            .map_or(f64::INFINITY, |high| high.max(value)),
    }
}
