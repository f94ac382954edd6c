//! This module names what every run is held to, whatever its scenario expects.
//!
//! **In:** a plan. **Out:** the [`BuiltIn`] checks that apply to it. An `[[expect]]` on the same quantity, over the
//! whole run or outside faults, takes the place of the check: the scenario then says itself how much is allowed.
//!
//! Without them a run in which nothing worked, and nothing was expected, would be a pass.

use super::Plan;
use crate::scenario::expectation::{Bound, Comparison, Outcome, Quantity, When};

/// Share of the messages planned outside faults that must be answered.
pub(crate) const ANSWERED_RATIO_MIN: f64 = 0.99;

/// Whether that part of the run is all that a built-in check looks at.
pub(crate) const fn is_broad(when: &When) -> bool {
    matches!(when, When::WholeRun | When::OutsideFaults)
}

/// Whether a bound says how many there may be, or that some are wanted.
fn says_how_many(bound: Bound) -> bool {
    match bound.comparison {
        Comparison::Under | Comparison::AtMost | Comparison::Equals => true,
        Comparison::AtLeast => bound.value > 0.0,
    }
}

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
        let mut expected = plan.expect.iter().filter(|expect| is_broad(&expect.when));
        expected.any(|expect| match (self, expect.what) {
            (Self::GaveUp, Quantity::FailedClients) | (Self::Cut, Quantity::CutSessions) => {
                says_how_many(expect.bound)
            }
            (
                Self::Answered,
                Quantity::Delivery {
                    outcome: Outcome::Unanswered,
                },
            ) => says_how_many(expect.bound),
            // At most so many is no promise that any come.
            (
                Self::Answered,
                Quantity::Delivery {
                    outcome: Outcome::Completed,
                },
            ) => {
                let least = [Comparison::AtLeast, Comparison::Equals];
                least.contains(&expect.bound.comparison) && expect.bound.value > 0.0
            }
            (
                Self::LetIn
                | Self::Sent
                | Self::GaveUp
                | Self::Answered
                | Self::Cut
                | Self::Protocol
                | Self::Limits,
                _,
            ) => false,
        })
    }
}
