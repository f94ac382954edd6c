//! What a worker counts, inside a server or as a process of its own.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

use crate::metrics::{Maker, MetricsError};

/// Counters and gauges of one worker.
pub(crate) struct Counts {
    /// Entries in the queue, as of a moment ago.
    pub(super) queue_depth: IntGauge,
    /// Tasks being answered.
    pub(super) in_hand: IntGauge,
    /// Tasks answered to their end and acknowledged.
    pub(super) answered: IntCounter,
    /// Tasks taken over from another worker.
    pub(super) taken_over: IntCounter,
    /// Tasks left to another worker, which took them over.
    pub(super) let_go: IntCounter,
    /// Entries of the queue that were no tasks.
    pub(super) discarded: IntCounter,
    /// Whether the circuit is open.
    pub(super) circuit_open: IntGauge,
    /// Times it opened.
    pub(super) circuit_opened: IntCounter,
    /// Failures of the blocking reader.
    pub(super) reader_errors: IntCounter,
}

impl Counts {
    /// All at zero.
    pub(crate) fn new(registry: &Registry, errors: &IntCounterVec) -> Result<Self, MetricsError> {
        let maker = Maker::new(registry);
        Ok(Self {
            queue_depth: maker.gauge("chat_queue_depth", "Entries in the task queue.")?,
            in_hand: maker.gauge("chat_tasks_in_hand", "Tasks this worker is answering.")?,
            answered: maker.counter(
                "chat_tasks_answered_total",
                "Tasks this worker answered to their end.",
            )?,
            taken_over: maker.counter(
                "chat_tasks_taken_over_total",
                "Tasks taken over from another worker.",
            )?,
            let_go: maker.counter(
                "chat_tasks_let_go_total",
                "Tasks that another worker took over from this one.",
            )?,
            discarded: maker.counter(
                "chat_queue_discarded_total",
                "Entries of the task queue that were no tasks and were taken out.",
            )?,
            circuit_open: maker.gauge(
                "chat_worker_circuit_open",
                "Whether this worker pauses because Redis fails.",
            )?,
            circuit_opened: maker.counter(
                "chat_worker_circuit_opened_total",
                "Times this worker paused because Redis failed.",
            )?,
            reader_errors: errors.with_label_values(&["reader"]),
        })
    }
}
