//! This module counts what went wrong for clients by who caused it.
//!
//! **In:** the recording, and the spans of the run. **Out:** [`FailureCount`]s, most first.
//!
//! What the server or the network did between the injection of a fault and the recovery from it is booked to the
//! fault: the run has done that itself. So is what becomes of connections while a condition is in force.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::windows::{Span, span_of_interval};
use super::{FaultResult, WindowKind};
use crate::failure::{Cause, FailureKind};
use crate::plan::{Damage, Link, PlannedFault};
use crate::record::fault::FaultStamps;
use crate::record::recording::{Recording, Said};

/// How long after the confirmed heal a service that never recovers is excused by the fault.
pub(super) const GRACE_US: u64 = 5_000_000;

/// From when on a condition on the way between clients and server was in force.
pub(super) fn condition_us(faults: &[PlannedFault], stamps: &[FaultStamps]) -> Option<u64> {
    let planned = faults.iter().zip(stamps);
    let on_edge =
        planned.filter(|(fault, _)| fault.condition && fault.kind.link() == Some(Link::Edge));
    let from = on_edge.filter_map(|(_, stamps)| stamps.injecting_us.or(stamps.injected_us));
    from.min()
}

/// From when on a fault excuses nothing any more; `None`: its recovery was seen, or its heal was not.
pub(super) fn excused_until_us(fault: &FaultResult) -> Option<u64> {
    let healed_us = fault.stamps.heal_confirmed_us?;
    (fault.recovery_us.is_none()).then(|| healed_us.saturating_add(GRACE_US))
}

/// Failures of one kind and cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FailureCount {
    pub cause: Cause,
    /// What it was, with its code: `upgrade 503`, `closed 1012`, `protocol error: …`.
    pub label: String,
    /// It kept a client from having a session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub connect: bool,
    /// It breaks the WebSocket protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protocol: bool,
    pub count: u64,
    /// When the first of this kind happened, whoever caused it.
    pub first_us: Option<u64>,
    /// The first different words that came with this kind: a close reason, the first line of a body.
    pub words: Vec<String>,
}

/// Everything that went wrong for clients.
pub(super) fn counts(recording: &Recording, during: &Faulty<'_>) -> Vec<FailureCount> {
    let mut counts: BTreeMap<(&FailureKind, Cause), (u64, u64)> = BTreeMap::new();
    for ((interval, kind), count) in &recording.failures {
        let cause = during.cause(kind, *interval);
        let start_us = u64::from(*interval) * during.interval_us;
        let entry = counts.entry((kind, cause)).or_insert((0, start_us));
        entry.0 += count;
    }
    let count = |((kind, cause), (count, start_us)): ((&FailureKind, Cause), (u64, u64))| {
        let said = recording.said.get(kind);
        // That of the kind, where it fell into the first interval of this cause.
        let first_us = said.and_then(|said| said.first_us);
        FailureCount {
            cause,
            label: kind.to_string(),
            connect: kind.is_of_connect(),
            protocol: matches!(kind, FailureKind::Protocol(_)),
            count,
            first_us: Some(first_us.unwrap_or(0).max(start_us)),
            words: said.map_or_else(Vec::new, Said::words),
        }
    };
    let mut counts: Vec<FailureCount> = counts.into_iter().map(count).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}

/// When the run itself was to blame.
pub(super) struct Faulty<'a> {
    pub spans: &'a [Span],
    pub faults: &'a [FaultResult],
    /// From when on a condition of the network was in force.
    pub condition_us: Option<u64>,
    pub damage: Damage,
    pub interval_us: u64,
}

impl Faulty<'_> {
    /// Who caused a failure of that kind in that interval.
    fn cause(&self, kind: &FailureKind, interval: u32) -> Cause {
        let at_us = u64::from(interval) * self.interval_us;
        let span = self
            .spans
            .get(span_of_interval(self.spans, interval, self.interval_us));
        let in_fault = span.is_some_and(|span| match span.kind {
            WindowKind::Fault => true,
            WindowKind::Recovery => {
                let fault = span.fault.and_then(|place| self.faults.get(place));
                let until_us = fault.and_then(excused_until_us);
                until_us.is_none_or(|until_us| at_us < until_us)
            }
            WindowKind::Ramp | WindowKind::Baseline | WindowKind::After | WindowKind::View => false,
        });
        let in_condition = self.condition_us.is_some_and(|from_us| at_us >= from_us);
        match kind.cause() {
            Cause::Server | Cause::Network if in_fault => Cause::Fault,
            Cause::Server | Cause::Network if self.damage == Damage::Always => Cause::Fault,
            Cause::Server | Cause::Network if in_condition && kind.is_of_connection() => {
                Cause::Fault
            }
            cause => cause,
        }
    }
}
