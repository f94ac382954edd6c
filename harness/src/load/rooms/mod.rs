//! This module keeps what is said in conversations that several clients share: whoever was there when a message was put
//! on its socket must hear it.
//!
//! **In:** who is there, what is said, what is heard. **Out:** how long a copy of a message took to each of the others
//! (in a [`Hearing`]), and which copies never came ([`Unheard`]).
//!
//! A copy is owed to every member whose socket had been ready for two seconds when the message was first said. It is
//! called unheard only where the message was taken (somebody heard it, or its answer came to who said it), the member went
//! on for a whole drain after that, and left in order: of a socket that was cut nobody knows how long it was dead.
//!
//! Where a scenario does not say that members hear each other, nothing is owed before one has heard another.
//!
//! All members of a conversation are in one process, though not on one lane.
//!
//! **Units:** microseconds since load start.

mod members;
mod room;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::members::Members;
pub(super) use self::room::{Hearing, Message};
use self::room::{Here, NEVER, Room, Said};
use crate::plan::visit::Visit;
use crate::plan::{Copies, LoadPlan};
use crate::record::copies::Unheard;

/// Messages that are remembered at once, in all conversations of a process.
const MESSAGES_MAX: usize = 200_000;
/// Answers that came to others before it was known what they answer.
const EARLY_MAX: usize = 256;

/// The conversations of one process.
#[derive(Debug)]
pub(super) struct Rooms {
    /// Clients of a conversation.
    group: u32,
    by: Copies,
    drain_us: u64,
    rooms: Vec<Mutex<Room>>,
    /// Somebody heard somebody else, or the scenario says that they do.
    is_shared: AtomicBool,
    remembered: AtomicUsize,
    /// A message could not be remembered.
    is_full: AtomicBool,
}

impl Rooms {
    /// The conversations of these stays; `None`: every client has one of its own.
    /// `is_said`: the scenario says that members hear each other.
    pub(super) fn of(
        load: &LoadPlan,
        (by, is_said): (Copies, bool),
        visits: &[Visit],
    ) -> Option<Self> {
        let group = load.session.group.max(1);
        let last = visits.iter().map(|visit| visit.client).max()?;
        let nobody = Here {
            sockets: 0,
            since_us: NEVER,
        };
        let room = |nth: u32| Room {
            first_client: nth * group,
            here: vec![nobody; group as usize],
            said: BTreeMap::new(),
            order: VecDeque::new(),
            tasks: BTreeMap::new(),
            early: VecDeque::new(),
        };
        let rooms = (0..=last / group).map(|nth| Mutex::new(room(nth)));
        Some(Self {
            group,
            by,
            drain_us: load.drain_us,
            rooms: rooms.collect(),
            is_shared: AtomicBool::new(is_said),
            remembered: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
        })
    }

    fn room(&self, client: u32) -> Option<(MutexGuard<'_, Room>, u32)> {
        let room = self.rooms.get((client / self.group) as usize)?;
        let room = room.lock().unwrap_or_else(PoisonError::into_inner);
        Some((room, client % self.group))
    }

    /// A client's socket is ready.
    pub(super) fn joined(&self, client: u32, at_us: u64) {
        if let Some((mut room, member)) = self.room(client) {
            room.change(member, at_us, |sockets| sockets.saturating_add(1));
            // With two sockets nobody can tell which of them was to bring it.
            if room.here[member as usize].sockets > 1 {
                room.strike(member, |_| false);
            }
        }
    }

    /// A client's socket is gone; `orderly`: it was good to its end.
    pub(super) fn left(&self, client: u32, at_us: u64, orderly: bool) -> Vec<Unheard> {
        let Some((mut room, member)) = self.room(client) else {
            return Vec::new();
        };
        room.change(member, at_us, |sockets| sockets.saturating_sub(1));
        let drain_us = self.drain_us;
        room.strike(member, |said| {
            orderly && said.taken_us.saturating_add(drain_us) <= at_us
        });
        // What others are still to hear stays, though it has left the order.
        let resolved = |said: &Said| said.owed.count() == 0 && said.waits;
        let resolved = room.said.iter().filter(|(_, said)| resolved(said));
        let resolved: Vec<Message> = resolved.map(|(message, _)| *message).collect();
        let unheard = resolved
            .into_iter()
            .filter_map(|message| self.forget(&mut room, message, at_us));
        unheard.collect()
    }

    /// A client is about to put a message on its socket, for the `first` time or again.
    pub(super) fn said(
        &self,
        client: u32,
        (message, first): (Message, bool),
        (intended_us, said_us): (u64, u64),
    ) -> Vec<Unheard> {
        let Some((mut room, writer)) = self.room(client) else {
            return Vec::new();
        };
        if !first {
            // Who came since is owed nothing: a server may tell what is said again to who asked alone.
            if let Some(said) = room.said.get_mut(&message) {
                said.repeated = true;
            }
            return Vec::new();
        }
        if !self.is_shared.load(Ordering::Relaxed) {
            return Vec::new();
        }
        if self.remembered.fetch_add(1, Ordering::Relaxed) >= MESSAGES_MAX {
            self.remembered.fetch_sub(1, Ordering::Relaxed);
            self.is_full.store(true, Ordering::Relaxed);
            return self.settle(&mut room, said_us);
        }
        let mut owed = room.settled_members(said_us);
        owed.remove(writer);
        let heard = Members::none(room.here.len());
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
            waits: false,
        };
        room.said.insert(message, said);
        room.order.push_back(message);
        self.settle(&mut room, said_us)
    }

    /// What was about to be said for the first time was not.
    pub(super) fn unsaid(&self, client: u32, message: Message) {
        if let Some((mut room, _)) = self.room(client)
            && room.said.remove(&message).is_some()
        {
            self.remembered.fetch_sub(1, Ordering::Relaxed);
            room.order.retain(|said| *said != message);
        }
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
        self.is_shared.store(true, Ordering::Relaxed);
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
        let mut unheard = Vec::new();
        for room in &self.rooms {
            let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some((message, _)) = room.said.first_key_value() {
                let message = *message;
                unheard.extend(self.forget(&mut room, message, at_us));
            }
        }
        unheard
    }

    /// Messages came that could not be remembered, and so were not followed.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Forgets what has its end, from the oldest on. What somebody has gone without for long is looked at again when
    /// that one leaves.
    fn settle(&self, room: &mut Room, now_us: u64) -> Vec<Unheard> {
        let mut unheard = Vec::new();
        while let Some(message) = room.order.front().copied() {
            let Some(said) = room.said.get_mut(&message) else {
                room.order.pop_front();
                continue;
            };
            match said.over_us(self.drain_us) {
                Some(over_us) if over_us <= now_us => {
                    room.order.pop_front();
                    unheard.extend(self.forget(room, message, now_us));
                }
                None if said.taken_us.saturating_add(self.drain_us) <= now_us => {
                    said.waits = true;
                    room.order.pop_front();
                }
                Some(_) | None => break,
            }
        }
        unheard
    }

    fn forget(&self, room: &mut Room, message: Message, now_us: u64) -> Option<Unheard> {
        let said = room.said.remove(&message)?;
        self.remembered.fetch_sub(1, Ordering::Relaxed);
        if let Some(task) = said.task {
            room.tasks.remove(&task);
        }
        let until_us = said.taken_us.saturating_add(self.drain_us);
        // Of an answer without a name nobody can tell that they heard it.
        let is_told = self.by == Copies::ById || said.task.is_some();
        let still = Some(&said.owed).filter(|_| until_us <= now_us);
        let missing = still.into_iter().chain(&said.missed);
        let missing = missing.filter(|_| is_told).flat_map(Members::places);
        let clients: Vec<u32> = missing.map(|member| room.first_client + member).collect();
        (!clients.is_empty()).then_some(Unheard {
            message,
            intended_us: said.intended_us,
            said_us: said.said_us,
            until_us,
            clients,
            owed: said.members,
        })
    }
}

#[cfg(test)]
mod tests;
