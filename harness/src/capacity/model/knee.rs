//! This module finds the knee of a curve: the load from which more costs much more, or brings much
//! less.
//!
//! **In:** points of (load, latency) or (load, throughput), in any order. **Out:** the load of one
//! of them, or `None`.
//!
//! **Method.** Kneedle: both axes are stretched to 0..1, and the knee is where the curve is
//! farthest from its chord, if it comes back from there by more than one step of the loads. The
//! spline that smooths the points first is left out: a capacity has a dozen of them, each a mean
//! over a dwell. Of several knees the farthest is taken. What Kneedle finds depends on where the
//! points begin and end: it describes the curve that was measured, and is no limit of the service.
//! **Source:** Satopää, Albrecht, Irwin, Raghavan: "Finding a 'Kneedle' in a haystack" (ICDCS
//! Workshops 2011).

/// Fewer loads have no bend that could be told from noise.
const LOADS_MIN: usize = 5;
/// How many steps of the loads the curve must come back (the paper's S).
const SENSITIVITY: f64 = 1.0;

/// Which way the curve bends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// Rises more and more (convex): latency.
    Latency,
    /// Rises less and less (concave), and may fall at the end: throughput.
    Throughput,
}

/// The load at the knee; `None` of a line, of fewer than five loads, and where a number is not
/// finite.
pub(crate) fn knee(points: &[(f64, f64)], curve: Curve) -> Option<f64> {
    if points
        .iter()
        .any(|(load, value)| !load.is_finite() || !value.is_finite())
    {
        return None;
    }
    let points = by_load(points);
    if points.len() < LOADS_MIN {
        return None;
    }
    let (loads, values): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (across, up) = (stretched(&loads)?, stretched(&values)?);
    // A convex curve is a concave one upside down and from right to left.
    let bulge: Vec<f64> = match curve {
        Curve::Throughput => across.iter().zip(&up).map(|(x, y)| y - x).collect(),
        Curve::Latency => across.iter().zip(&up).map(|(x, y)| x - y).rev().collect(),
    };
    let at = farthest(&bulge)?;
    match curve {
        Curve::Throughput => loads.get(at).copied(),
        Curve::Latency => loads.iter().rev().nth(at).copied(),
    }
}

/// Sorted, with the mean of the values of one load.
fn by_load(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let same = sorted.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq());
    same.map(|same| {
        let sum: f64 = same.iter().map(|point| point.1).sum();
        (same[0].0, sum / same.len() as f64)
    })
    .collect()
}

/// From 0 at the smallest to 1 at the largest; `None` where all are one.
fn stretched(values: &[f64]) -> Option<Vec<f64>> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low;
    (span > 0.0 && span.is_finite())
        .then(|| values.iter().map(|value| (value - low) / span).collect())
}

/// The place of the highest peak from which the curve comes back by the threshold before it rises
/// again.
fn farthest(bulge: &[f64]) -> Option<usize> {
    let threshold = SENSITIVITY / (bulge.len() - 1) as f64;
    let mut best: Option<usize> = None;
    for at in 1..bulge.len() - 1 {
        let peak = bulge[at];
        if peak <= bulge[at - 1] || peak < bulge[at + 1] {
            continue;
        }
        let falling = bulge[at..].windows(2).take_while(|pair| pair[1] <= pair[0]);
        let lowest = falling.last().map_or(peak, |pair| pair[1]);
        let higher = best.is_none_or(|best| peak > bulge[best]);
        if higher && lowest < peak - threshold {
            best = Some(at);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::model::queue::Queue;

    fn steps(count: u32, curve: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let load = |step| f64::from(step) / f64::from(count);
        (0..=count)
            .map(|step| (load(step), curve(load(step))))
            .collect()
    }

    /// Figure 2 of the paper: the knee is at 0.22.
    #[test]
    fn the_curve_of_the_paper_has_its_knee() {
        let points = steps(9, |x| 5.0 - 1.0 / (x + 0.1));
        let found = knee(&points, Curve::Throughput).unwrap();
        assert!((found - 0.222).abs() < 0.001, "{found}");
        assert_eq!(knee(&points, Curve::Latency), None);
    }

    /// From load a to load b the curve 1 / (1 - x) is farthest from its chord at 1 - sqrt((1 - a)(1
    /// - b)).
    #[test]
    fn one_server_has_its_knee_where_calculus_says() {
        for (from, to) in [(0.05_f64, 0.95_f64), (0.1, 0.9), (0.02, 0.99)] {
            let points: Vec<(f64, f64)> = (0..=100)
                .map(|step| from + (to - from) * f64::from(step) / 100.0)
                .map(|load| (load, Queue::new(load, 1.0, 1).unwrap().mean_response_s()))
                .collect();
            let found = knee(&points, Curve::Latency).unwrap();
            let truth = 1.0 - ((1.0 - from) * (1.0 - to)).sqrt();
            assert!((found - truth).abs() < 0.01, "{found} {truth}");
        }
    }

    #[test]
    fn a_limit_is_the_knee_of_a_throughput() {
        let mut points: Vec<(f64, f64)> = [100.0, 200.0, 400.0, 600.0, 800.0, 1_600.0, 3_200.0]
            .map(|load: f64| (load, load.min(800.0)))
            .to_vec();
        points.reverse();
        assert_eq!(knee(&points, Curve::Throughput), Some(800.0));
        // Falling after its peak, and one load measured twice.
        points.extend([(3_200.0, 500.0), (4_000.0, 500.0)]);
        assert_eq!(knee(&points, Curve::Throughput), Some(800.0));
    }

    #[test]
    fn a_line_has_none_with_noise_and_without() {
        for noise in [0.0, 0.02] {
            let shaken = |x: f64| x + noise * (x * 37.0).sin();
            for curve in [Curve::Latency, Curve::Throughput] {
                assert_eq!(knee(&steps(10, shaken), curve), None);
                assert_eq!(knee(&steps(10, |x| noise * x), curve), None);
            }
        }
    }

    #[test]
    fn a_few_points_and_no_numbers_have_none() {
        assert_eq!(knee(&[], Curve::Latency), None);
        assert_eq!(knee(&steps(3, |x| x.powi(8)), Curve::Latency), None);
        assert_eq!(knee(&[(1.0, 1.0); 9], Curve::Latency), None);
        let mut points = steps(9, |x| x.powi(8));
        assert!(knee(&points, Curve::Latency).is_some());
        points[3].1 = f64::NAN;
        assert_eq!(knee(&points, Curve::Latency), None);
    }
}
