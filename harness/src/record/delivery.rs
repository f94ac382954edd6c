//! This module counts what became of messages (wire contract, section 3): one ledger for recorder and result.
//!
//! **In:** ends of messages. **Out:** a [`Delivery`], to be merged and read by [`Outcome`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::expectation::Outcome;

// Every message whose first send was intended in the run counts as `sent`, put on a socket or not. `duplicated` are
// chunks or answers that arrived again, `out_of_order` messages with a chunk in the wrong place, `unexpected` frames
// for nothing the client asked, `late` messages completed after the drain deadline of their own send.
/// What became of every message; `sent` is the sum of the next five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Delivery {
    pub sent: u64,
    pub completed: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub lost: u64,
    pub pending: u64,
    pub duplicated: u64,
    pub out_of_order: u64,
    pub unexpected: u64,
    pub late: u64,
    /// Attempts put on a socket, retries included.
    pub attempts: u64,
    /// Copies of messages that other members of a conversation should have heard, the unheard ones included.
    #[serde(default)]
    pub copies: u64,
    /// Copies that never came to a member who was there.
    #[serde(default)]
    pub unheard: u64,
}

impl Delivery {
    /// One column.
    pub(crate) const fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Sent => self.sent,
            Outcome::Completed => self.completed,
            Outcome::Refused => self.refused,
            Outcome::Unanswered => self.unanswered,
            Outcome::Lost => self.lost,
            Outcome::Pending => self.pending,
            Outcome::Duplicated => self.duplicated,
            Outcome::OutOfOrder => self.out_of_order,
            Outcome::Unexpected => self.unexpected,
            Outcome::Late => self.late,
            Outcome::Unheard => self.unheard,
        }
    }

    /// The columns that a table of it has: without conversations that several share, nobody is owed a copy.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Outcome> + use<> {
        let is_shared = self.copies > 0;
        let all = Outcome::ALL.into_iter();
        all.filter(move |outcome| is_shared || *outcome != Outcome::Unheard)
    }

    /// Messages with an end, of whatever kind.
    pub(crate) const fn ended(&self) -> u64 {
        self.completed + self.refused + self.unanswered + self.lost + self.pending
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.completed += other.completed;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.lost += other.lost;
        self.pending += other.pending;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.unexpected += other.unexpected;
        self.late += other.late;
        self.attempts += other.attempts;
        self.copies += other.copies;
        self.unheard += other.unheard;
    }
}
