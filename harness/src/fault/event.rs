//! This module is what the live view hears of a fault as it happens.

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
