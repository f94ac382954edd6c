//! This module holds what must be true of a run: `[[expect]]` and `[[abort_when]]`.
//!
//! **In:** the text of `what`, `when` and the bound. **Out:** typed values that every later stage
//! matches on. **Units:** a bound on a time is in microseconds, on anything else a plain count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::server_count::ServerCount;
use crate::stage::Stage;
use crate::units::Unit;

/// One thing that must hold (or, in an [`AbortRule`], that ends the run when it holds).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Expectation {
    pub what: Quantity,
    pub when: When,
    pub bound: Bound,
    /// The bound as the scenario writes it: `500ms`, `0`.
    pub bound_text: String,
    /// Line of the scenario file, from 1; 0 where it did not come from a file.
    pub line: u32,
}

/// A rule that ends the run when it holds: `[[abort_when]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AbortRule {
    #[serde(flatten)]
    pub expectation: Expectation,
    /// Not looked at before this moment of the load; what was answered before it does not count.
    #[serde(default)]
    pub after_us: u64,
    /// How long it must hold without a break before it ends the run.
    #[serde(default)]
    pub for_us: u64,
    /// Fewest answers over which a latency is taken; 0 for what is counted.
    #[serde(default)]
    pub min_samples: u64,
}

/// What is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Quantity {
    /// `complete p99`, `token p99 service`: microseconds.
    Latency {
        stage: Stage,
        statistic: Statistic,
        time: TimeKind,
    },
    /// `lost`, `duplicated`, …: messages.
    Delivery { outcome: Outcome },
    /// `impact`: from injection to the first refused, slow or failed answer.
    Impact,
    /// `detect`: from injection until the target's readiness turned red.
    Detect,
    /// `recovery`: from the confirmed heal until answers were in tolerance again.
    Recovery,
    /// `backlog drain`: from the confirmed heal until every message touched by the fault was settled.
    BacklogDrain,
    /// `closes 1006`: sockets that ended with this code.
    Closes { code: u16 },
    /// `cut sessions`: sockets that ended although neither the plan nor the client meant them to.
    CutSessions,
    /// `failed clients`: clients that gave up (reconnect attempts used up).
    FailedClients,
    /// `peak open`: most sockets open at once.
    PeakOpen,
    /// `server …`: what the server itself counted.
    Server { count: ServerCount },
}

/// Which number of a latency distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Statistic {
    Mean,
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
}

/// Answers beyond a percentile that end a run, where the rule says nothing else: fewer may be chance.
const BEYOND_MIN: u64 = 5;
/// Fewest answers that end a run, where the rule says nothing else.
const ANSWERS_MIN: u64 = 50;

impl Statistic {
    /// As a scenario writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Max => "max",
        }
    }

    /// Which share of the values does not exceed it; `None` for the mean and the maximum.
    pub(crate) const fn quantile(self) -> Option<f64> {
        match self {
            Self::Mean | Self::Max => None,
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::P999 => Some(0.999),
        }
    }

    /// Fewest samples that carry it: 1/(1−p) for a percentile.
    pub(crate) const fn needs(self) -> u64 {
        match self {
            Self::Mean | Self::Max => 1,
            Self::P50 => 2,
            Self::P90 => 10,
            Self::P95 => 20,
            Self::P99 => 100,
            Self::P999 => 1_000,
        }
    }

    /// Fewest samples by which a rule ends a run without more: five beyond the percentile, and never fewer
    /// than fifty, so that a cold start ends nothing.
    pub(crate) const fn acts_on(self) -> u64 {
        let beyond = match self.quantile() {
            Some(_) => self.needs() * BEYOND_MIN,
            None => 0,
        };
        if beyond < ANSWERS_MIN {
            ANSWERS_MIN
        } else {
            beyond
        }
    }
}

/// From when a time is counted: the intended send (response) or the real one (service).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeKind {
    Response,
    Service,
}

/// A column of the delivery ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Sent,
    Completed,
    Refused,
    Unanswered,
    Lost,
    Pending,
    Duplicated,
    OutOfOrder,
    Unexpected,
    Late,
    /// Copies that other members of a conversation never got.
    Unheard,
}

impl Outcome {
    /// In the order of every report.
    pub(crate) const ALL: [Self; 11] = [
        Self::Sent,
        Self::Completed,
        Self::Refused,
        Self::Unanswered,
        Self::Lost,
        Self::Pending,
        Self::Duplicated,
        Self::OutOfOrder,
        Self::Unexpected,
        Self::Late,
        Self::Unheard,
    ];

    /// As a scenario writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Lost => "lost",
            Self::Pending => "pending",
            Self::Duplicated => "duplicated",
            Self::OutOfOrder => "out_of_order",
            Self::Unexpected => "unexpected",
            Self::Late => "late",
            Self::Unheard => "unheard",
        }
    }

    /// As a reader wants it.
    pub(crate) const fn words(self) -> &'static str {
        if matches!(self, Self::OutOfOrder) {
            "out of order"
        } else {
            self.name()
        }
    }

    /// The column of that name, if there is one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether any at all is a broken promise (exit 14) and not just a threshold.
    pub(crate) const fn is_promise(self) -> bool {
        match self {
            Self::Lost | Self::Duplicated | Self::OutOfOrder | Self::Unexpected | Self::Unheard => {
                true
            }
            Self::Sent
            | Self::Completed
            | Self::Refused
            | Self::Unanswered
            | Self::Pending
            | Self::Late => false,
        }
    }
}

/// Which part of the run is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum When {
    WholeRun,
    /// Every fault left out, from its injection until recovered.
    OutsideFaults,
    /// While clients were being added.
    Ramp,
    /// The named fault, from injection until recovered.
    During {
        fault: String,
    },
    /// The stage of the load with that name.
    Stage {
        name: String,
    },
}

/// The bound: `under`, `at_most`, `equals`, `at_least`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Bound {
    pub comparison: Comparison,
    /// Microseconds for a time, else a count.
    pub value: f64,
}

/// How an observation is held against a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Comparison {
    Under,
    AtMost,
    Equals,
    AtLeast,
}

impl Quantity {
    /// Fewest answers by which a rule on it ends a run without more; 0 for what is counted.
    pub(crate) const fn acts_on(self) -> u64 {
        if let Self::Latency { statistic, .. } = self {
            statistic.acts_on()
        } else {
            0
        }
    }

    /// Whether it is a time of a fault.
    pub(crate) const fn is_of_fault(self) -> bool {
        matches!(
            self,
            Self::Impact | Self::Detect | Self::Recovery | Self::BacklogDrain
        )
    }

    /// What its value counts.
    pub(crate) const fn unit(self) -> Unit {
        match self {
            Self::Latency { .. }
            | Self::Impact
            | Self::Detect
            | Self::Recovery
            | Self::BacklogDrain => Unit::Microseconds,
            Self::Delivery { .. } => Unit::Messages,
            Self::Closes { .. } | Self::CutSessions | Self::PeakOpen => Unit::Sockets,
            Self::FailedClients => Unit::Clients,
            Self::Server { count } => count.about().unit,
        }
    }

    /// Whether it is a time, bounded by a duration; everything else is counted.
    pub(crate) const fn is_time(self) -> bool {
        matches!(self.unit(), Unit::Microseconds)
    }
}

impl Bound {
    /// Whether `observed` (in the bound's own unit) satisfies it.
    pub(crate) fn holds(self, observed: f64) -> bool {
        match self.comparison {
            Comparison::Under => observed < self.value,
            Comparison::AtMost => observed <= self.value,
            Comparison::Equals => (observed - self.value).abs() < f64::EPSILON,
            Comparison::AtLeast => observed >= self.value,
        }
    }
}
