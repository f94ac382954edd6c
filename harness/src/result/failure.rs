//! This module counts what went wrong for clients by who caused it.
//!
//! **In:** the recording, and the spans of the run. **Out:** [`FailureCount`]s, most first.
//!
//! What the server or the network did between the injection of a fault and the recovery from it is booked to the
//! fault: the run has done that itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WindowKind;
use super::windows::{Span, span_of_interval};
use crate::failure::{Cause, FailureKind};
use crate::record::recording::Recording;

/// Failures of one kind and cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FailureCount {
    pub cause: Cause,
    /// What it was, with its code: `upgrade 503`, `closed 1012`, `protocol error: …`.
    pub label: String,
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
pub(super) fn counts(recording: &Recording, spans: &[Span], interval_us: u64) -> Vec<FailureCount> {
    let mut counts: BTreeMap<(&FailureKind, Cause), u64> = BTreeMap::new();
    for ((interval, kind), count) in &recording.failures {
        let span = spans.get(span_of_interval(spans, *interval, interval_us));
        let is_faulty =
            span.is_some_and(|span| matches!(span.kind, WindowKind::Fault | WindowKind::Recovery));
        let cause = match kind.cause() {
            Cause::Server | Cause::Network if is_faulty => Cause::Fault,
            cause => cause,
        };
        *counts.entry((kind, cause)).or_insert(0) += count;
    }
    let count = |((kind, cause), count): ((&FailureKind, Cause), u64)| {
        let said = recording.said.get(kind);
        FailureCount {
            cause,
            label: kind.to_string(),
            protocol: matches!(kind, FailureKind::Protocol(_)),
            count,
            first_us: said.and_then(|said| said.first_us),
            words: said.map_or_else(Vec::new, |said| {
                said.words
                    .iter()
                    .map(|(words, _)| words.to_string())
                    .collect()
            }),
        }
    };
    let mut counts: Vec<FailureCount> = counts.into_iter().map(count).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}
