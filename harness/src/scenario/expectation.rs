//! This module holds what must be true of a run: `[[expect]]` and `[[abort_when]]`.
//!
//! **In:** the text of `what`, `when` and the bound. **Out:** typed values that every later stage
//! matches on. **Units:** a bound on a time is in microseconds, on anything else a plain count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stage::Stage;

/// One thing that must hold (or, in `[[abort_when]]`, that ends the run when it holds).
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

/// What a server counts, of clients that may not count right themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerCount {
    /// `server peak open`: most sockets open at once.
    PeakOpen,
    /// `server peak connects`: most sockets opened within 250 ms.
    PeakConnects,
    /// `server refused tokens`: tokens that were not, or not any more, good.
    RefusedTokens,
    /// `server left conversations`: those still held when the sockets were gone.
    LeftConversations,
    /// `server memory growth`: KiB by which its resident memory was larger in the last quarter of the load than
    /// in the second, on average.
    MemoryGrowth,
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
    /// Whether it is a time, bounded by a duration; everything else is counted.
    pub(crate) const fn is_time(self) -> bool {
        match self {
            Self::Latency { .. }
            | Self::Impact
            | Self::Detect
            | Self::Recovery
            | Self::BacklogDrain => true,
            Self::Delivery { .. }
            | Self::Closes { .. }
            | Self::CutSessions
            | Self::FailedClients
            | Self::PeakOpen
            | Self::Server { .. } => false,
        }
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
