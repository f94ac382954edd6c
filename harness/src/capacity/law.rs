//! This module is what the probes say together: how throughput grows with what is in flight, and where latency bends.
//!
//! **In:** probes. **Out:** a [`Scaling`] for `capacity.json`: the Universal Scalability Law over the steady probes, or why it
//! was not fitted. **Units:** messages in flight, messages per second.
//!
//! A load is here what was *in flight*, not what was asked for: clients that send on a schedule ask as much of a slow service
//! as of a fast one, and the law is about how many are served at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::knee::{Curve, knee};
use super::model::usl::{Estimate, Observation, Usl};
use super::probe::Probe;
use super::search::Came;

/// Points of the curve that is drawn.
const POINTS: u32 = 48;
/// It is drawn up to so many times the largest load that was measured.
const DRAWN_TO: f64 = 1.5;
/// Latency that grows by less has no knee.
const KNEE_RATIO_MIN: f64 = 1.5;
/// Fewer in flight are hardly counted: a gauge knows whole messages.
const IN_FLIGHT_MIN: f64 = 1.0;

/// What the probes say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Scaling {
    pub law: Law,
    /// The load from which latency grows much faster, and that from which throughput grows much less (Kneedle); `None`: there is
    /// no such one.
    pub latency_knee: Option<f64>,
    pub throughput_knee: Option<f64>,
}

/// The law, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Law {
    Fitted(Box<Fit>),
    Refused { reason: String, hint: String },
}

/// The Universal Scalability Law of the probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Fit {
    /// Messages per second of one in flight.
    pub lambda: Interval,
    /// Contention: the share that waits for its turn.
    pub sigma: Interval,
    /// Coherency: the cost of keeping each pair in agreement.
    pub kappa: Interval,
    /// In flight where throughput is highest.
    pub peak_load: Interval,
    pub peak_throughput: Interval,
    /// Standard deviation of the probes about the curve.
    pub noise_ratio: f64,
    /// Most that was in flight in a probe of the fit.
    pub load_max: f64,
    pub curve: Vec<CurvePoint>,
}

/// A number with its 95 % interval; an end that is missing is without bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Interval {
    pub value: Option<f64>,
    pub low: f64,
    pub high: Option<f64>,
}

/// The curve at a load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CurvePoint {
    pub in_flight: f64,
    pub throughput: Interval,
}

impl From<Estimate> for Interval {
    fn from(estimate: Estimate) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            value: finite(estimate.value),
            low: estimate.low,
            high: finite(estimate.high),
        }
    }
}

impl Scaling {
    /// What these probes say together.
    pub(crate) fn of(probes: &[Probe]) -> Self {
        let observations: Vec<Observation> = probes.iter().filter_map(observation).collect();
        let law = match Usl::fit(&observations) {
            Ok(usl) => Law::Fitted(Box::new(fit(&usl, &observations))),
            Err(refusal) => Law::Refused {
                reason: refusal.to_string(),
                hint: refusal.hint().to_owned(),
            },
        };
        let told = || probes.iter().filter(|probe| is_told(probe));
        let latencies: Vec<(f64, f64)> = told()
            .filter_map(|probe| Some((probe.load as f64, probe.mean_us?)))
            .collect();
        let throughputs: Vec<(f64, f64)> = told()
            .filter_map(|probe| Some((probe.load as f64, probe.answered_per_s?)))
            .collect();
        // Noise on a line bends it a little everywhere: a knee is of a curve that is known to be one.
        let is_bent = matches!(law, Law::Fitted(_));
        Self {
            latency_knee: knee(&latencies, Curve::Latency).filter(|_| grows(&latencies)),
            throughput_knee: knee(&throughputs, Curve::Throughput).filter(|_| is_bent),
            law,
        }
    }
}

/// The largest is well above the smallest.
fn grows(points: &[(f64, f64)]) -> bool {
    let values = points.iter().map(|(_, value)| *value);
    let least = values.clone().fold(f64::INFINITY, f64::min);
    values.fold(0.0, f64::max) > least * KNEE_RATIO_MIN
}

fn is_told(probe: &Probe) -> bool {
    matches!(probe.came, Came::Held | Came::Broke)
}

/// A probe as a point of the law; one whose backlog grew, or whose numbers do not fit each other, is none.
fn observation(probe: &Probe) -> Option<Observation> {
    let is_steady = |steady: super::steady::Steady| steady.backlog_growth_per_s.is_none();
    let steady =
        probe.steady.is_none_or(is_steady) && probe.little.is_some_and(|little| little.holds);
    let load = probe.in_flight.filter(|load| *load >= IN_FLIGHT_MIN)?;
    let throughput = probe.answered_per_s.filter(|per_s| *per_s > 0.0)?;
    (is_told(probe) && steady).then_some(Observation { load, throughput })
}

fn fit(usl: &Usl, observations: &[Observation]) -> Fit {
    let least = observations
        .iter()
        .map(|one| one.load)
        .fold(f64::INFINITY, f64::min);
    let ratio = usl.load_max * DRAWN_TO / least;
    let curve = (0..=POINTS).map(|point| {
        let in_flight = least * ratio.powf(f64::from(point) / f64::from(POINTS));
        CurvePoint {
            in_flight,
            throughput: usl.predict(in_flight).throughput.into(),
        }
    });
    Fit {
        lambda: usl.lambda.into(),
        sigma: usl.sigma.into(),
        kappa: usl.kappa.into(),
        peak_load: usl.peak_load.into(),
        peak_throughput: usl.peak_throughput.into(),
        noise_ratio: usl.noise_ratio,
        load_max: usl.load_max,
        curve: curve.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::probe::Little;
    use crate::capacity::search::Why;

    fn probe(in_flight: f64, answered_per_s: f64) -> Probe {
        Probe {
            came: Came::Held,
            in_flight: Some(in_flight),
            answered_per_s: Some(answered_per_s),
            mean_us: Some(in_flight / answered_per_s * 1e6),
            little: Some(Little {
                in_flight,
                expected: in_flight,
                holds: true,
            }),
            ..Probe::without(
                (crate::units::rounded(in_flight), Why::Step),
                Came::Held,
                String::new(),
            )
        }
    }

    /// λ 30, σ 0.05, κ 0.001.
    fn law(load: f64) -> f64 {
        30.0 * load / (1.0 + 0.05 * (load - 1.0) + 0.001 * load * (load - 1.0))
    }

    fn probes(law: impl Fn(f64) -> f64) -> Vec<Probe> {
        let loads = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        let noise = [1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99];
        let each = loads.into_iter().zip(noise);
        each.map(|(load, noise)| probe(load, law(load) * noise))
            .collect()
    }

    #[test]
    fn the_law_is_found_in_its_probes() {
        let scaling = Scaling::of(&probes(law));
        let Law::Fitted(fit) = scaling.law else {
            panic!("{:?}", scaling.law);
        };
        let holds = |interval: Interval, truth: f64| {
            interval.low <= truth && interval.high.is_none_or(|high| truth <= high)
        };
        assert!(holds(fit.sigma, 0.05) && holds(fit.kappa, 0.001), "{fit:?}");
        assert!(holds(fit.peak_load, 30.8), "{:?}", fit.peak_load);
        assert_eq!(fit.curve.len(), 49);
        let json = serde_json::to_string(&fit).unwrap();
        assert!(!json.contains("inf") && !json.contains("NaN"));
    }

    #[test]
    fn a_line_and_a_probe_that_was_not_steady_are_no_law() {
        let line = Scaling::of(&probes(|load| 30.0 * load));
        assert!(matches!(line.law, Law::Refused { .. }), "{line:?}");
        assert_eq!(line.latency_knee, None);
        assert_eq!(line.throughput_knee, None);
        let mut unsteady = probes(law);
        for probe in &mut unsteady[..4] {
            probe.little = None;
        }
        assert!(matches!(Scaling::of(&unsteady).law, Law::Refused { .. }));
    }
}
