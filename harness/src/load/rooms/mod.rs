//! This module keeps what is said in conversations that several clients share: whoever was there when a message was put
//! on its socket must hear it.
//!
//! **In:** who is there, what is said, what is heard. **Out:** how long a copy of a message took to each of the others
//! ([`Copied`]), and which copies never came ([`Unheard`]).
//!
//! A copy is owed to every member whose socket had been ready for [`SETTLED_US`]. It is called unheard only where the
//! message was taken (somebody heard it, or its answer came to who said it), the member went on for a whole drain after
//! that, and left in order: of a socket that was cut nobody knows how long it was dead.
//!
//! All members of a conversation are in one process, though not on one lane.
//!
//! **Units:** microseconds since load start.

mod members;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::members::Members;
use crate::plan::visit::Visit;
use crate::plan::{Conversation, Copies, LoadPlan};
use crate::record::copies::{Copied, Unheard};

/// How long a socket must have been ready, so that the server certainly counts it among the members.
const SETTLED_US: u64 = 1_000_000;
/// Messages of one conversation that are remembered.
const MESSAGES_MAX: usize = 1_024;
/// Answers that came to others before it was known what they answer.
const EARLY_MAX: usize = 256;
/// Not there, or not yet.
const NEVER: u64 = u64::MAX;

/// A message, by its stay and its place among what that stay says.
pub(super) type Message = (u32, u32);

/// The conversations of one process.
#[derive(Debug)]
pub(super) struct Rooms {
    /// Clients of a conversation.
    group: u32,
    drain_us: u64,
    rooms: Vec<Mutex<Room>>,
}

/// What a client heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// A copy that it was owed.
    Copy(Copied),
    /// The same once more.
    Again(Message, u64),
    /// Nothing that it was owed: it came later, or nobody said it.
    Passed,
}

/// One conversation.
#[derive(Debug)]
struct Room {
    by: Copies,
    /// Somebody heard somebody else, or the scenario says that they do.
    is_shared: bool,
    first_client: u32,
    /// Since when each member is there; [`NEVER`]: it is not.
    here_us: Vec<u64>,
    said: BTreeMap<Message, Said>,
    /// In the order in which they were said.
    order: VecDeque<Message>,
    /// What a task of the server answers.
    tasks: BTreeMap<u64, Message>,
    early: VecDeque<(u64, u32, u64)>,
}

/// What is known of a message.
#[derive(Debug)]
struct Said {
    intended_us: u64,
    said_us: u64,
    /// When the first of them all heard it.
    taken_us: u64,
    /// Asked once more: the server may have taken it twice.
    repeated: bool,
    task: Option<u64>,
    owed: Members,
    heard: Members,
    /// Members that left without it; `None`: nobody did.
    missed: Option<Members>,
    members: u32,
}

impl Said {
    /// Nothing is to be waited for any more: everybody heard it, or nobody ever did.
    fn is_over(&self, drain_us: u64, now_us: u64) -> bool {
        let (since_us, resolved) = if self.taken_us == NEVER {
            (self.said_us.saturating_add(drain_us), true)
        } else {
            (self.taken_us, self.owed.count() == 0)
        };
        resolved && since_us.saturating_add(drain_us) <= now_us
    }
}

impl Rooms {
    /// The conversations of these stays; `None`: every client has one of its own.
    pub(super) fn of(load: &LoadPlan, by: Copies, visits: &[Visit]) -> Option<Self> {
        let group = load.session.group.max(1);
        let is_said = load.session.conversation == Conversation::Group;
        let last = visits.iter().map(|visit| visit.client).max()?;
        let room = |nth: u32| Room {
            by,
            is_shared: is_said,
            first_client: nth * group,
            here_us: vec![NEVER; group as usize],
            said: BTreeMap::new(),
            order: VecDeque::new(),
            tasks: BTreeMap::new(),
            early: VecDeque::new(),
        };
        let rooms = (0..=last / group).map(|nth| Mutex::new(room(nth)));
        Some(Self {
            group,
            drain_us: load.drain_us,
            rooms: rooms.collect(),
        })
    }

    fn room(&self, client: u32) -> Option<(MutexGuard<'_, Room>, u32)> {
        let room = self.rooms.get((client / self.group) as usize)?;
        let room = room.lock().unwrap_or_else(PoisonError::into_inner);
        Some((room, client % self.group))
    }

    /// A client's socket is ready.
    pub(super) fn joined(&self, client: u32, at_us: u64) {
        if let Some((mut room, member)) = self.room(client)
            && let Some(here_us) = room.here_us.get_mut(member as usize)
        {
            *here_us = at_us;
        }
    }

    /// A client's socket is gone; `orderly`: it was good to its end.
    pub(super) fn left(&self, client: u32, at_us: u64, orderly: bool) -> Vec<Unheard> {
        let Some((mut room, member)) = self.room(client) else {
            return Vec::new();
        };
        if let Some(here_us) = room.here_us.get_mut(member as usize) {
            *here_us = NEVER;
        }
        let members = room.here_us.len();
        for said in room.said.values_mut() {
            let patience_us = said.taken_us.saturating_add(self.drain_us);
            if said.owed.remove(member) && orderly && patience_us <= at_us {
                let missed = said.missed.get_or_insert_with(|| Members::none(members));
                missed.add(member);
            }
        }
        room.settle(self.drain_us, at_us)
    }

    /// A client has put a message on its socket, for the first time or again.
    pub(super) fn said(
        &self,
        client: u32,
        message: Message,
        (intended_us, said_us): (u64, u64),
    ) -> Vec<Unheard> {
        let Some((mut room, writer)) = self.room(client) else {
            return Vec::new();
        };
        let mut owed = room.settled_members(said_us);
        owed.remove(writer);
        if let Some(said) = room.said.get_mut(&message) {
            said.repeated = true;
            said.owed = owed.without(&said.heard);
            said.members = said.heard.count() + said.owed.count();
            return Vec::new();
        }
        let heard = Members::none(room.here_us.len());
        let members = owed.count();
        let said = Said {
            intended_us,
            said_us,
            taken_us: NEVER,
            repeated: false,
            task: None,
            owed,
            heard,
            missed: None,
            members,
        };
        room.said.insert(message, said);
        room.order.push_back(message);
        room.settle(self.drain_us, said_us)
    }

    /// The server has given a message's answer a name, by which the others hear of it. What they heard already.
    pub(super) fn named(&self, client: u32, message: Message, task: u64) -> Vec<Hearing> {
        let Some((mut room, _)) = self.room(client) else {
            return Vec::new();
        };
        let Some(said) = room.said.get_mut(&message) else {
            return Vec::new();
        };
        if let Some(before) = said.task.replace(task) {
            room.tasks.remove(&before);
        }
        room.tasks.insert(task, message);
        let early = std::mem::take(&mut room.early);
        let (of_it, others) = early.into_iter().partition(|(named, ..)| *named == task);
        room.early = others;
        let of_it: VecDeque<(u64, u32, u64)> = of_it;
        let heard = of_it.into_iter();
        let heard = heard.map(|(_, member, at_us)| room.heard(message, member, at_us));
        heard.collect()
    }

    /// The answer to a client's own message came.
    pub(super) fn answered(&self, client: u32, message: Message, at_us: u64) {
        if let Some((mut room, _)) = self.room(client)
            && let Some(said) = room.said.get_mut(&message)
        {
            said.taken_us = said.taken_us.min(at_us);
        }
    }

    /// A client heard a message of another.
    pub(super) fn heard(&self, client: u32, message: Message, at_us: u64) -> Hearing {
        let Some((mut room, member)) = self.room(client) else {
            return Hearing::Passed;
        };
        room.heard(message, member, at_us)
    }

    /// A client heard the end of an answer to another, by the name that the server gave it.
    pub(super) fn heard_task(&self, client: u32, task: u64, at_us: u64) -> Hearing {
        let Some((mut room, member)) = self.room(client) else {
            return Hearing::Passed;
        };
        if let Some(message) = room.tasks.get(&task).copied() {
            return room.heard(message, member, at_us);
        }
        if room.early.len() == EARLY_MAX {
            room.early.pop_front();
        }
        room.early.push_back((task, member, at_us));
        Hearing::Passed
    }

    /// Everything ends.
    pub(super) fn finish(&self, at_us: u64) -> Vec<Unheard> {
        let rooms = self.rooms.iter();
        let rooms = rooms.map(|room| room.lock().unwrap_or_else(PoisonError::into_inner));
        rooms
            .flat_map(|mut room| room.finish(self.drain_us, at_us))
            .collect()
    }
}

impl Room {
    /// Those whom the server certainly knows to be there.
    fn settled_members(&self, at_us: u64) -> Members {
        let mut members = Members::none(self.here_us.len());
        for (member, here_us) in (0..).zip(&self.here_us) {
            if here_us.saturating_add(SETTLED_US) <= at_us {
                members.add(member);
            }
        }
        members
    }

    fn heard(&mut self, message: Message, member: u32, at_us: u64) -> Hearing {
        let Some(said) = self.said.get_mut(&message) else {
            return Hearing::Passed;
        };
        said.taken_us = said.taken_us.min(at_us);
        if said.owed.remove(member) {
            said.heard.add(member);
            self.is_shared = true;
            return Hearing::Copy(Copied {
                intended_us: said.intended_us,
                said_us: said.said_us,
                at_us,
            });
        }
        let here_us = self.here_us.get(member as usize).copied();
        // What a server tells those who come (back) of before is no copy.
        let was_there = here_us.is_some_and(|here_us| here_us <= said.said_us);
        let again = !said.heard.add(member) && was_there && !said.repeated;
        if again {
            Hearing::Again(message, at_us)
        } else {
            Hearing::Passed
        }
    }

    /// Forgets what has its end: from the oldest on, up to the first that is still owed to somebody.
    fn settle(&mut self, drain_us: u64, now_us: u64) -> Vec<Unheard> {
        let mut unheard = Vec::new();
        while let Some(message) = self.order.front().copied() {
            let is_full = self.order.len() > MESSAGES_MAX;
            let said = self.said.get(&message);
            let ended = said.is_none_or(|said| said.is_over(drain_us, now_us));
            if !ended && !is_full {
                break;
            }
            self.order.pop_front();
            unheard.extend(self.forget(message, drain_us, now_us));
        }
        unheard
    }

    fn finish(&mut self, drain_us: u64, now_us: u64) -> Vec<Unheard> {
        let order = std::mem::take(&mut self.order).into_iter();
        let unheard = order.filter_map(|message| self.forget(message, drain_us, now_us));
        unheard.collect()
    }

    fn forget(&mut self, message: Message, drain_us: u64, now_us: u64) -> Option<Unheard> {
        let said = self.said.remove(&message)?;
        if let Some(task) = said.task {
            self.tasks.remove(&task);
        }
        let until_us = said.taken_us.saturating_add(drain_us);
        // Of an answer without a name nobody can tell that they heard it.
        let is_told = self.by == Copies::ById || said.task.is_some();
        let still = Some(&said.owed).filter(|_| until_us <= now_us);
        let missing = still.into_iter().chain(&said.missed);
        let missing = missing.filter(|_| is_told).flat_map(Members::places);
        let clients: Vec<u32> = missing.map(|member| self.first_client + member).collect();
        (!clients.is_empty()).then_some(Unheard {
            message,
            intended_us: said.intended_us,
            said_us: said.said_us,
            until_us,
            clients,
            owed: said.members,
            is_shared: self.is_shared,
        })
    }
}

#[cfg(test)]
mod tests;
