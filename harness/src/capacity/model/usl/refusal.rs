//! This module says which points the law is not fitted to, and why.
//!
//! **In:** the observations, then fits of them. **Out:** a [`Refusal`]: a curve that is refused is
//! never drawn.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor};
use thiserror::Error;

use super::observation::{Observation, about_mean};

/// Three loads are met by three coefficients whatever was measured: the fourth is the first that
/// could disagree.
const LOADS_MIN: usize = 4;
/// The largest load must be so many times the smallest.
const SPAN_MIN: f64 = 4.0;
/// Probes may be as noisy as this. What the law leaves unexplained may be more only as far as
/// chance makes it.
const NOISE_RATIO_MAX: f64 = 0.05;
/// How often a line may pass for a bend.
const LINE_LEVEL: f64 = 0.01;
/// How often points of the law may be called none.
const SHAPE_LEVEL: f64 = 0.001;

/// Why the law is not fitted.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub(crate) enum Refusal {
    #[error(
        "throughput {throughput} at load {load}: a load is 1 or more, and a throughput above 0"
    )]
    Value { load: f64, throughput: f64 },
    #[error(
        "{loads} different loads: the law has three coefficients, and fewer than {LOADS_MIN} loads fit any"
    )]
    FewLoads { loads: usize },
    #[error(
        "loads from {} to {}: the largest must be {SPAN_MIN} times the smallest, or more", short(*least), short(*most)
    )]
    NarrowSpan { least: f64, most: f64 },
    #[error("up to load {} the points show no bend: nothing can be said beyond them", short(*most))]
    NoBend { most: f64 },
    #[error(
        "throughput only falls from load {} on: what a load of 1 brings cannot be told", short(*least)
    )]
    OnlyFalls { least: f64 },
    #[error(
        "throughput follows the load up to {} and is {throughput:.0} from there on: a limit that is hit at once, and no scaling", short(*load)
    )]
    Limit { load: f64, throughput: f64 },
    #[error(
        "the points are no curve of the law: it leaves {:.1} % of the throughputs unexplained", 100.0 * off_ratio
    )]
    OtherShape {
        /// Standard deviation of what is left, as a share of the throughput.
        off_ratio: f64,
    },
}

/// A load for people: `29.84375` is `30`, and `4.26` is `4.3`.
fn short(load: f64) -> String {
    let decimals = usize::from(load < 9.95 && load.fract() != 0.0);
    format!("{load:.decimals$}")
}

impl Refusal {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Value { .. } => "leave out probes that measured nothing",
            Self::FewLoads { .. } => "probe more loads, better six to twelve",
            Self::NarrowSpan { .. } | Self::OnlyFalls { .. } => "begin at a lower load",
            Self::NoBend { .. } => "probe higher loads, until throughput falls behind them",
            Self::Limit { .. } => {
                "look for what is limited: sockets, a rate, workers; its number is the capacity"
            }
            Self::OtherShape { .. } => {
                "look at the points: probes that were not steady, or a service that changes on the way"
            }
        }
    }
}

/// Refuses what no fit should be tried on; the smallest and the largest load else.
pub(super) fn span(loads: &[Vec<Observation>]) -> Result<(f64, f64), Refusal> {
    for &Observation { load, throughput } in loads.iter().flatten() {
        let sound = load.is_finite() && throughput.is_finite() && load >= 1.0 && throughput > 0.0;
        if !sound {
            return Err(Refusal::Value { load, throughput });
        }
    }
    let load =
        |same: Option<&Vec<Observation>>| same.and_then(|same| same.first()).map(|one| one.load);
    let (Some(least), Some(most), LOADS_MIN..) =
        (load(loads.first()), load(loads.last()), loads.len())
    else {
        return Err(Refusal::FewLoads { loads: loads.len() });
    };
    if most < SPAN_MIN * least {
        return Err(Refusal::NarrowSpan { least, most });
    }
    Ok((least, most))
}

/// The sums of squares that the shape of the points is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Squares {
    /// Of a line through the origin.
    pub line: f64,
    /// Of the law.
    pub law: f64,
    /// Of the law, were its coefficients allowed below 0.
    pub free: f64,
    /// About the means of the loads: noise, whatever the shape.
    pub within: f64,
    /// What rounding alone would leave.
    pub least: f64,
    pub points: usize,
    pub loads: usize,
}

/// The best of those steps that follow the load first, and are constant then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Last load that is followed.
    load: f64,
    throughput: f64,
    squares: f64,
}

impl Limit {
    /// The step with the least squares of logarithms; at least two loads on either side of it.
    pub(super) fn of(loads: &[Vec<Observation>]) -> Self {
        let mut best = Self {
            load: 0.0,
            throughput: 0.0,
            squares: f64::INFINITY,
        };
        for split in 2..loads.len().saturating_sub(1) {
            let (before, after) = (loads[..split].concat(), loads[split..].concat());
            let (_, followed) =
                about_mean(before.iter().map(|one| (one.throughput / one.load).ln()));
            let (level, constant) = about_mean(after.iter().map(|one| one.throughput.ln()));
            if followed + constant < best.squares {
                best = Self {
                    load: loads[split - 1][0].load,
                    throughput: level.exp(),
                    squares: followed + constant,
                };
            }
        }
        best
    }
}

/// Refuses points that are no curve of the law, or a straight one.
pub(super) fn shape(squares: &Squares, limit: &Limit, most: f64) -> Result<(), Refusal> {
    let degrees = (squares.points - 3) as f64;
    let other = Refusal::OtherShape {
        off_ratio: (squares.law / degrees).sqrt(),
    };
    let twice = (squares.points - squares.loads) as f64;
    let by_loads = (squares.loads - 3) as f64;
    // Points of one load tell the noise, and the law must not miss their means by more.
    let missed = chance(
        [squares.law - squares.within, squares.within],
        [by_loads, twice],
    );
    let upwards = chance([squares.law - squares.free, squares.free], [1.0, degrees]);
    let noise = squares.law / NOISE_RATIO_MAX.powi(2);
    let noise = ChiSquared::new(degrees).map_or(1.0, |chi_square| chi_square.sf(noise));
    let bend = chance([squares.line - squares.law, squares.law], [2.0, degrees]);
    // A step has no fewer coefficients than the law, its place among them: neither holds the other.
    if chance(
        [squares.law, limit.squares.max(squares.least)],
        [degrees; 2],
    ) < SHAPE_LEVEL
    {
        return Err(Refusal::Limit {
            load: limit.load,
            throughput: limit.throughput,
        });
    }
    if missed.min(upwards).min(noise) < SHAPE_LEVEL {
        return Err(other);
    }
    if bend > LINE_LEVEL {
        return Err(Refusal::NoBend { most });
    }
    Ok(())
}

/// How often noise makes the first of two sums of squares as large beside the second, by Fisher's
/// F; 1 without degrees.
fn chance([of, beside]: [f64; 2], [degrees, beside_degrees]: [f64; 2]) -> f64 {
    let ratio = (of.max(0.0) / degrees) / (beside / beside_degrees);
    if ratio.is_nan() {
        return 1.0;
    }
    FisherSnedecor::new(degrees, beside_degrees).map_or(1.0, |fisher| fisher.sf(ratio))
}
