//! This module is what clients do with their sessions, one file per way.
//!
//! **In:** the plan and the time. **Out:** when the next message is due, and when to leave a
//! session although nothing is wrong with it. Opening, answering, retrying and recording are the
//! same for all and live in `load::client`.
//!
//! **Units:** microseconds since load start.

mod chatter;
mod lurker;
mod reconnector;

use self::chatter::Chatter;
use self::lurker::Lurker;
use self::reconnector::Reconnector;
use crate::plan::visit::Visit;
use crate::plan::{Behavior, LoadPlan};

/// The behaviour of one client during one stay.
#[derive(Debug)]
pub(super) enum Conduct {
    Chatter(Chatter),
    Lurker(Lurker),
    Reconnector(Reconnector),
}

impl Conduct {
    pub(super) fn new(seed: u64, load: &LoadPlan, visit: &Visit) -> Self {
        match visit.behavior {
            Behavior::Chatter => Self::Chatter(Chatter::new(seed, load, visit)),
            Behavior::Lurker => Self::Lurker(Lurker),
            Behavior::Reconnector { every_us } => {
                Self::Reconnector(Reconnector::new(seed, load, visit, every_us))
            }
        }
    }

    /// Intended time of the next message; `u64::MAX`: none.
    pub(super) fn next_send_us(&self) -> u64 {
        match self {
            Self::Chatter(chatter) => chatter.next_send_us(),
            Self::Lurker(_) => u64::MAX,
            Self::Reconnector(reconnector) => reconnector.chatter.next_send_us(),
        }
    }

    /// Takes the next intended send, if it lies at or before `now_us`.
    pub(super) fn take_due(&mut self, now_us: u64) -> Option<u64> {
        match self {
            Self::Chatter(chatter) => chatter.take_due(now_us),
            Self::Lurker(_) => None,
            Self::Reconnector(reconnector) => reconnector.chatter.take_due(now_us),
        }
    }

    /// The last message has its end (or its deadline passed): the closed model goes on. Whether
    /// that changed when the next one is due.
    pub(super) fn answered(&mut self, at_us: u64) -> bool {
        match self {
            Self::Chatter(chatter) => chatter.answered(at_us),
            Self::Lurker(_) => false,
            Self::Reconnector(reconnector) => reconnector.chatter.answered(at_us),
        }
    }

    /// A session is open.
    pub(super) fn opened(&mut self, at_us: u64) {
        match self {
            Self::Chatter(_) | Self::Lurker(_) => {}
            Self::Reconnector(reconnector) => reconnector.opened(at_us),
        }
    }

    /// When to leave the session of one's own accord; `u64::MAX`: not.
    pub(super) fn leave_us(&self) -> u64 {
        match self {
            Self::Chatter(_) | Self::Lurker(_) => u64::MAX,
            Self::Reconnector(reconnector) => reconnector.leave_us(),
        }
    }
}
