//! This module walks the fault timeline.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::RunClock;
use crate::environment::FaultAccess;
use crate::plan::PlannedFault;
use crate::record::fault::{FaultBoard, FaultStamps};

/// Something happened to a fault: for the live view, which may miss some when it is slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultEvent {
    /// Place of the fault in the plan.
    pub fault: usize,
    /// Microseconds since load start.
    pub at_us: u64,
    pub moment: FaultMoment,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultMoment {
    Injecting,
    Injected,
    Confirmed,
    Healing,
    Healed,
    HealConfirmed,
    ReadinessRed,
    ReadinessGreen,
    /// In one sentence.
    Problem(String),
}

/// Causes and heals every fault at its time; returns their stamps in the plan's order.
///
/// `events` is only ever tried: a slow listener misses lines, it does not delay a fault. After
/// `cancel` nothing more is injected, and what is in force is healed at once.
pub(crate) async fn drive(
    faults: &[PlannedFault],
    _access: FaultAccess,
    _clock: RunClock,
    _board: Arc<FaultBoard>,
    _events: mpsc::Sender<FaultEvent>,
    _cancel: CancellationToken,
) -> Vec<FaultStamps> {
    vec![FaultStamps::default(); faults.len()]
}
