//! This module is one conversation: who is there, what was said in it, who has heard it.
//!
//! **Units:** microseconds since load start.

use std::collections::{BTreeMap, VecDeque};

use super::members::Members;
use crate::record::copies::Copied;

/// How long a socket must have been ready, so that the server certainly counts it among the members.
const SETTLED_US: u64 = 2_000_000;
/// How long a message is remembered that everybody has heard, so that one that comes again is known.
const LINGER_US: u64 = 2_000_000;
/// Not there, or not yet.
pub(super) const NEVER: u64 = u64::MAX;

/// A message, by its stay and its place among what that stay says.
pub(in crate::load) type Message = (u32, u32);

/// What a client heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Hearing {
    /// A copy that it was owed.
    Copy(Copied),
    /// The same once more.
    Again(Message, u64),
    /// Nothing that it was owed: it came later, or nobody said it.
    Passed,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) first_client: u32,
    pub(super) here: Vec<Here>,
    pub(super) said: BTreeMap<Message, Said>,
    /// In the order in which they were said, without those that somebody has gone without for long.
    pub(super) order: VecDeque<Message>,
    /// What a task of the server answers.
    pub(super) tasks: BTreeMap<u64, Message>,
    pub(super) early: VecDeque<(u64, u32, u64)>,
}

/// A member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    /// Its sockets that are ready: one, and for a moment two where a client comes back before it has left.
    pub(super) sockets: u8,
    /// Since when it has this one; [`NEVER`]: it has none, or two.
    pub(super) since_us: u64,
}

/// What is known of a message.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) intended_us: u64,
    pub(super) said_us: u64,
    /// When the first of them all heard it.
    pub(super) taken_us: u64,
    /// Asked once more: the server may have taken it twice.
    pub(super) repeated: bool,
    pub(super) task: Option<u64>,
    pub(super) owed: Members,
    pub(super) heard: Members,
    /// Members that left without it; `None`: nobody did.
    pub(super) missed: Option<Members>,
    pub(super) members: u32,
    /// It has left the order: somebody has gone without it for long.
    pub(super) waits: bool,
}

impl Said {
    /// When nothing is to be waited for any more: everybody heard it, or nobody ever did; `None`: somebody is to hear it.
    pub(super) fn over_us(&self, drain_us: u64) -> Option<u64> {
        if self.taken_us == NEVER {
            return Some(self.said_us.saturating_add(2 * drain_us));
        }
        let is_heard = self.owed.count() == 0;
        is_heard.then(|| self.taken_us.saturating_add(LINGER_US))
    }
}

impl Room {
    /// A member has a socket more or less.
    pub(super) fn change(&mut self, member: u32, at_us: u64, change: impl FnOnce(u8) -> u8) {
        if let Some(here) = self.here.get_mut(member as usize) {
            here.sockets = change(here.sockets);
            here.since_us = if here.sockets == 1 { at_us } else { NEVER };
        }
    }

    /// A member is owed nothing any more; `missed` says whether it went without a message.
    pub(super) fn strike(&mut self, member: u32, missed: impl Fn(&Said) -> bool) {
        let members = self.here.len();
        for said in self.said.values_mut() {
            if said.owed.remove(member) && missed(said) {
                let missed = said.missed.get_or_insert_with(|| Members::none(members));
                missed.add(member);
            }
        }
    }

    /// Those whom the server certainly knows to be there.
    pub(super) fn settled_members(&self, at_us: u64) -> Members {
        let mut members = Members::none(self.here.len());
        for (member, here) in (0..).zip(&self.here) {
            if here.since_us.saturating_add(SETTLED_US) <= at_us {
                members.add(member);
            }
        }
        members
    }

    pub(super) fn heard(&mut self, message: Message, member: u32, at_us: u64) -> Hearing {
        let Some(said) = self.said.get_mut(&message) else {
            return Hearing::Passed;
        };
        said.taken_us = said.taken_us.min(at_us);
        if said.owed.remove(member) {
            said.heard.add(member);
            return Hearing::Copy(Copied {
                intended_us: said.intended_us,
                said_us: said.said_us,
                at_us,
            });
        }
        let here = self.here.get(member as usize);
        // What a server tells those who come (back) of before is no copy.
        let was_there = here.is_some_and(|here| here.since_us <= said.said_us);
        let again = !said.heard.add(member) && was_there && !said.repeated;
        if again {
            Hearing::Again(message, at_us)
        } else {
            Hearing::Passed
        }
    }
}
