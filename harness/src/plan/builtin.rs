//! This module names what every run is held to, whatever its scenario expects.
//!
//! **In:** a plan. **Out:** the [`BuiltIn`] checks that apply to it. An `[[expect]]` on the same quantity, over the
//! whole run or outside faults, takes the place of the check: the scenario then says itself how much is allowed.
//!
//! Without them a run in which nothing worked, and nothing was expected, would be a pass.

use super::Plan;
use crate::scenario::expectation::{Outcome, Quantity, When};

/// Share of the messages planned outside faults that must be answered.
pub(crate) const ANSWERED_RATIO_MIN: f64 = 0.99;

/// A check that needs no `[[expect]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    /// Somebody had a session.
    LetIn,
    /// Something was sent, of a plan with something to send.
    Sent,
    /// Clients kept coming back until they were in.
    GaveUp,
    /// Messages were completed, or refused in words.
    Answered,
    /// Sessions lasted.
    Cut,
    /// The WebSocket protocol was kept.
    Protocol,
    /// No client met a limit of the harness or of its machine.
    Limits,
}

impl BuiltIn {
    const ALL: [Self; 7] = [
        Self::LetIn,
        Self::Sent,
        Self::GaveUp,
        Self::Answered,
        Self::Cut,
        Self::Protocol,
        Self::Limits,
    ];

    /// Those that hold this plan, in the order in which they explain each other.
    pub(crate) fn of(plan: &Plan) -> impl Iterator<Item = Self> + '_ {
        let applies = |check: &Self| !check.is_moot(plan) && !check.is_replaced(plan);
        Self::ALL.into_iter().filter(applies)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LetIn => "somebody got in",
            Self::Sent => "something was sent",
            Self::GaveUp => "nobody gave up",
            Self::Answered => "messages answered",
            Self::Cut => "no session cut",
            Self::Protocol => "no protocol errors",
            Self::Limits => "limits of our own",
        }
    }

    /// The bound, as a reader wants it.
    pub(crate) const fn bound(self) -> &'static str {
        match self {
            Self::LetIn | Self::Sent => "≥ 1",
            Self::GaveUp | Self::Protocol | Self::Limits => "= 0",
            Self::Answered => "≥ 99 % outside faults",
            Self::Cut => "= 0 outside faults",
        }
    }

    /// There is nothing to send.
    fn is_moot(self, plan: &Plan) -> bool {
        let sends = plan.load.mix.iter().any(|share| share.behavior.sends());
        matches!(self, Self::Sent | Self::Answered) && !sends
    }

    fn is_replaced(self, plan: &Plan) -> bool {
        let broad = |when: &When| matches!(when, When::WholeRun | When::OutsideFaults);
        let mut expected = plan.expect.iter().filter(|expect| broad(&expect.when));
        expected.any(|expect| match self {
            Self::LetIn | Self::Sent | Self::Protocol | Self::Limits => false,
            Self::GaveUp => expect.what == Quantity::FailedClients,
            Self::Answered => matches!(
                expect.what,
                Quantity::Delivery {
                    outcome: Outcome::Completed | Outcome::Unanswered
                }
            ),
            Self::Cut => expect.what == Quantity::CutSessions,
        })
    }
}
