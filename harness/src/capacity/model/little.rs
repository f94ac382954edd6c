//! This module holds what a probe counted against Little's law: L = λ W.
//!
//! **In:** the mean number in flight, the throughput (1/s) and the mean response time (s) of one
//! window, each measured by itself, with its relative standard error. **Out:** an [`Agreement`]. A
//! probe whose three numbers do not agree was not steady, or counted something twice or not at all.
//!
//! **Method.** The law is exact over a window that begins and ends empty. A dwell does neither, and
//! what is cut off at its ends is its floor of error. Errors are relative and independent: they add
//! as squares, on logarithms. **Source:** Little, "A proof for the queuing formula L = λW"
//! (Operations Research 1961).

/// How many standard errors apart are still chance: one sound probe in a thousand is called
/// unsound.
const ERRORS_MAX: f64 = 3.29;
/// What the ends of a window may make of it, and is no error of the numbers.
const EDGES_RATIO: f64 = 0.01;

/// A number and its relative standard error (0.02: 2 %).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub value: f64,
    pub error_ratio: f64,
}

/// What the law says of a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Agreement {
    /// In flight by throughput times response time.
    pub expected: f64,
    /// In flight as counted.
    pub found: f64,
    /// Found over expected, less 1: 0.1 where a tenth more was in flight.
    pub ratio_off: f64,
    /// Whether chance and the ends of the window explain the difference.
    pub within: bool,
}

/// Holds a probe against the law; `None` where a value is not above 0, or an error is none.
pub(crate) fn agreement(
    in_flight: Measured,
    throughput_per_s: Measured,
    response_s: Measured,
) -> Option<Agreement> {
    let all = [in_flight, throughput_per_s, response_s];
    let sound = |one: &Measured| {
        let (value, error) = (one.value, one.error_ratio);
        value.is_finite() && value > 0.0 && error.is_finite() && error >= 0.0
    };
    if !all.iter().all(sound) {
        return None;
    }
    let expected = throughput_per_s.value * response_s.value;
    let ratio = in_flight.value / expected;
    let error = all
        .iter()
        .map(|one| one.error_ratio.powi(2))
        .sum::<f64>()
        .sqrt();
    Some(Agreement {
        expected,
        found: in_flight.value,
        ratio_off: ratio - 1.0,
        within: ratio.ln().abs() <= ERRORS_MAX * error + EDGES_RATIO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::model::queue::Queue;

    fn measured(value: f64, error_ratio: f64) -> Measured {
        Measured { value, error_ratio }
    }

    #[test]
    fn a_queue_obeys_the_law() {
        let queue = Queue::new(80.0, 10.0, 10).unwrap();
        let in_flight = 80.0 * queue.mean_response_s();
        let found = agreement(
            measured(in_flight * 1.04, 0.02),
            measured(80.0, 0.01),
            measured(queue.mean_response_s(), 0.01),
        )
        .unwrap();
        assert!(found.within && (found.ratio_off - 0.04).abs() < 1e-9);
        assert!((found.expected - in_flight).abs() < 1e-9);
    }

    #[test]
    fn answers_that_were_not_counted_are_seen() {
        let of = |lost: f64, error| {
            let counted = measured(100.0 * (1.0 - lost), error);
            agreement(measured(50.0, error), counted, measured(0.5, error)).unwrap()
        };
        assert!(!of(0.10, 0.01).within);
        assert!(of(0.01, 0.01).within);
        // What is measured badly proves nothing.
        assert!(of(0.10, 0.03).within);
    }

    #[test]
    fn half_the_clients_in_flight_disagree_as_much_as_twice() {
        let exact = |in_flight| {
            agreement(
                measured(in_flight, 0.0),
                measured(10.0, 0.0),
                measured(1.0, 0.0),
            )
            .unwrap()
        };
        assert!(!exact(5.0).within && !exact(20.0).within && exact(10.05).within);
    }

    #[test]
    fn nothing_in_flight_is_no_agreement() {
        let good = measured(1.0, 0.1);
        for bad in [
            measured(0.0, 0.1),
            measured(f64::NAN, 0.1),
            measured(1.0, -0.1),
        ] {
            assert_eq!(agreement(bad, good, good), None);
            assert_eq!(agreement(good, bad, good), None);
            assert_eq!(agreement(good, good, bad), None);
        }
    }
}
