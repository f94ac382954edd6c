//! This module is the laws by which the target answers, and what each says of every percentile.
//!
//! **In:** when a request was received, when the target began, a number drawn evenly from 0 to 1. **Out:** when the answer
//! is due; for a share of all answers, the response time that they do not exceed.
//!
//! **Units:** `*_ns` are nanoseconds, of `CLOCK_REALTIME` where they are moments.
//! **Source:** inverse transform sampling; the heavy tail is a Pareto distribution that is bounded on both sides.

pub(crate) const NS_PER_MS: u64 = 1_000_000;
pub(crate) const NS_PER_S: u64 = 1_000 * NS_PER_MS;

const CONSTANT_NS: u64 = 20 * NS_PER_MS;
/// Not a share that is reported: a percentile that lies on the step would be either value, by chance.
const FAST_RATIO: f64 = 0.85;
const FAST_NS: u64 = 5 * NS_PER_MS;
const SLOW_NS: u64 = 50 * NS_PER_MS;
const TAIL_LEAST_NS: u64 = 5 * NS_PER_MS;
const TAIL_MOST_NS: u64 = 2 * NS_PER_S;
/// Below 2: without its bound it would have no variance.
const TAIL_SHAPE: f64 = 1.5;
pub(crate) const STALL_EVERY_NS: u64 = 20 * NS_PER_S;
pub(crate) const STALL_NS: u64 = NS_PER_S;

/// How long an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    /// 20 ms.
    Constant,
    /// 5 ms for 85 of 100, 50 ms for the others.
    Bimodal,
    /// From 5 ms to 2 s, with a tail as of the power 1.5.
    Tail,
    /// At once, but not within the last second of every 20: what comes then is answered at its end.
    Stall,
}

impl Law {
    pub(crate) const ALL: [Self; 4] = [Self::Constant, Self::Bimodal, Self::Tail, Self::Stall];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Bimodal => "bimodal",
            Self::Tail => "heavy tail",
            Self::Stall => "stall",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|law| law.name() == name)
    }

    /// The response time that a share of all answers does not exceed. Of a stall: of requests that come evenly over
    /// whole periods.
    pub(crate) fn quantile_ns(self, ratio: f64) -> u64 {
        let ratio = ratio.clamp(0.0, 1.0);
        match self {
            Self::Constant => CONSTANT_NS,
            Self::Bimodal if ratio <= FAST_RATIO => FAST_NS,
            Self::Bimodal => SLOW_NS,
            Self::Tail => {
                let most = (TAIL_LEAST_NS as f64 / TAIL_MOST_NS as f64).powf(TAIL_SHAPE);
                let beyond = 1.0 - ratio * (1.0 - most);
                whole(TAIL_LEAST_NS as f64 * beyond.powf(-1.0 / TAIL_SHAPE))
            }
            Self::Stall => {
                let stalled = STALL_NS as f64 / STALL_EVERY_NS as f64;
                let within = (ratio - (1.0 - stalled)).max(0.0) / stalled;
                whole(within * STALL_NS as f64)
            }
        }
    }

    /// When the answer to what was received at a moment is due.
    pub(crate) fn due_ns(self, received_ns: u64, begun_ns: u64, unit: f64) -> u64 {
        match self {
            Self::Constant | Self::Bimodal | Self::Tail => received_ns + self.quantile_ns(unit),
            Self::Stall => {
                let passed_ns = received_ns.saturating_sub(begun_ns) % STALL_EVERY_NS;
                let is_stalled = passed_ns >= STALL_EVERY_NS - STALL_NS;
                received_ns
                    + if is_stalled {
                        STALL_EVERY_NS - passed_ns
                    } else {
                        0
                    }
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and a few seconds at most"
)]
fn whole(ns: f64) -> u64 {
    ns.round() as u64
}
