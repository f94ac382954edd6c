//! This module keeps account of every message of one client, from intended send to its end.
//!
//! **In:** what was sent and which events came. **Out:** a [`Settled`] message, once for each; the
//! word for its end is that of the wire contract, section 3.
//!
//! Every message stays on the books until it is answered in full or the run ends, so that an answer
//! after its deadline is told apart (*late*) from one that never came. After a lost socket a message
//! is sent again with its id and the server may repeat the whole answer: an event is *duplicated*
//! only when the same socket carries it twice.
//!
//! **Units:** microseconds since load start. **Source:** Jepsen's `total-queue` checker.
//! **Absent:** sockets, clocks and random numbers: the owner brings them.

mod message;

use std::collections::VecDeque;

pub(crate) use message::{Fate, Finding, LostReason, Settled};
use message::{Message, NEVER, Step};

/// Open messages of one client; past it the oldest is settled as it stands.
pub(crate) const OPEN_MAX: usize = 1024;
/// Settled tasks a client remembers, to tell a repeated event from a stranger's.
const REMEMBERED: usize = 8;

/// The books of one client.
#[derive(Debug)]
pub(crate) struct Ledger {
    open: VecDeque<Message>,
    /// Ring of settled tasks: hash of the task id (0: none), and the message's number.
    settled: [(u64, u32); REMEMBERED],
    settled_next: u8,
    /// Number of the next message.
    next: u32,
    /// Which socket is current: 0 before the first.
    socket: u32,
    /// The one before it, while that is heard too.
    old_socket: Option<u32>,
    /// Messages before this one were entered before the last change of sockets.
    changed_at: u32,
    /// Messages before this one were entered before the current socket.
    began_at: u32,
    /// How long after its intended send a message may be answered.
    drain_us: u64,
    /// Further attempts after the first.
    retries: u16,
}

/// A message that should be put on the current socket now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub number: u32,
    pub intended_us: u64,
    /// No attempt at this message was made before.
    pub first: bool,
}

/// What follows from an `error` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Will be sent again at that time.
    Again { at_us: u64 },
    /// The message's end.
    Ended(Settled),
    /// It changes nothing: the answer is on its way all the same, or the message is settled.
    Moot,
    /// It belongs to no message of this client.
    Unexpected,
}

impl Ledger {
    pub(crate) fn new(drain_us: u64, retries: u16) -> Self {
        Self {
            open: VecDeque::new(),
            settled: [(0, 0); REMEMBERED],
            settled_next: 0,
            next: 0,
            socket: 0,
            old_socket: None,
            changed_at: 0,
            began_at: 0,
            drain_us,
            retries,
        }
    }

    /// Enters a message that should be sent at `intended_us`. A message that had to make room for
    /// it is returned, settled as things stand at `now_us`.
    pub(crate) fn intend(&mut self, intended_us: u64, now_us: u64) -> Option<Settled> {
        let full = self.open.len() >= OPEN_MAX;
        let oldest = if full { self.open.pop_front() } else { None };
        if self.open.capacity() == 0 {
            // Most clients have one message open at a time, and a run has many clients.
            self.open.reserve_exact(1);
        }
        self.open.push_back(Message::new(self.next, intended_us));
        self.next += 1;
        oldest.map(|message| {
            self.remember(message.task, message.number);
            message.settle_at(now_us, self.drain_us)
        })
    }

    /// Another socket takes over, while the old one is heard until what was asked on it is answered: that is not
    /// asked again before [`Ledger::forget_old_socket`]. Both bring the same, so of messages until now nothing
    /// counts as repeated or out of order.
    pub(crate) fn change_sockets(&mut self) {
        self.old_socket = Some(self.socket);
        self.socket += 1;
        self.changed_at = self.next;
        for message in &mut self.open {
            message.heard_twice = true;
        }
    }

    /// The old socket is gone.
    pub(crate) const fn forget_old_socket(&mut self) {
        self.old_socket = None;
    }

    /// The message was entered before the last change of sockets.
    pub(crate) const fn is_before_change(&self, number: u32) -> bool {
        number < self.changed_at
    }

    /// Something that was asked on the old socket may still be answered there.
    pub(crate) fn is_owed_before_change(&self, now_us: u64) -> bool {
        let mut open = self.open.iter();
        open.any(|message| {
            message.is_on(self.old_socket) && !message.expired(now_us, self.drain_us)
        })
    }

    /// A new socket is up: what is open is sent again on it, as far as attempts and time allow.
    pub(crate) fn new_socket(&mut self) {
        self.socket += 1;
        self.began_at = self.next;
    }

    /// What is heard of the message is what a server tells those who come back: it was over before the current socket.
    pub(crate) fn is_history(&self, number: u32) -> bool {
        // Ids that are numbers may be those of a run before.
        let is_said = number < self.next;
        let is_open = || self.open.iter().any(|message| message.number == number);
        !is_said || number < self.began_at && !is_open()
    }

    /// The next message that should be on the current socket by now, oldest first.
    pub(crate) fn next_attempt(&self, now_us: u64) -> Option<Attempt> {
        let due = |message: &&Message| {
            message.due_us(self.socket, self.old_socket, self.retries) <= now_us
                && (message.attempts == 0 || !message.expired(now_us, self.drain_us))
        };
        self.open.iter().find(due).map(|message| Attempt {
            number: message.number,
            intended_us: message.intended_us,
            first: message.attempts == 0,
        })
    }

    /// When [`Ledger::next_attempt`] will next have something; `u64::MAX`: not by itself.
    pub(crate) fn next_attempt_us(&self, now_us: u64) -> u64 {
        let open = self
            .open
            .iter()
            .filter(|message| message.attempts == 0 || !message.expired(now_us, self.drain_us));
        let due = open.map(|message| message.due_us(self.socket, self.old_socket, self.retries));
        due.min().unwrap_or(NEVER)
    }

    /// An attempt was put on the current socket.
    pub(crate) fn sent(&mut self, number: u32, at_us: u64) {
        let socket = self.socket;
        if let Some(message) = self.find(number) {
            message.sent(socket, at_us);
        }
    }

    /// `task_queued` came; `number` is that of its `client_message_id` where it had one (an id of
    /// ours that was settled included), else it belongs to the oldest unacknowledged message.
    pub(crate) fn queued(&mut self, number: Option<u32>, task: u64, at_us: u64) -> Finding {
        let socket = self.socket;
        let known = self.remembered(task);
        let place = match number {
            Some(number) => self.open.iter().position(|m| m.number == number),
            None => self.open.iter().position(|m| m.awaits_queued(socket)),
        };
        let Some(message) = place.and_then(|place| self.open.get_mut(place)) else {
            return match number.filter(|&number| number < self.next) {
                None => Finding::Unexpected,
                // A retry that crossed the answer is acknowledged with the same task.
                Some(number) if known == Some(number) => Finding::Fine,
                Some(number) if self.is_before_change(number) => {
                    self.remember(task, number);
                    Finding::Fine
                }
                // Settled, and now run a second time.
                Some(number) => {
                    self.remember(task, number);
                    Finding::Duplicated { number }
                }
            };
        };
        let number = message.number;
        if message.task == 0 {
            return message.acknowledge(task, at_us);
        }
        if message.task == task {
            return message.acknowledge_again();
        }
        // One id, two tasks: the second answer is the first one again.
        message.duplicated = message.duplicated.saturating_add(1);
        self.remember(task, number);
        Finding::Fine
    }

    /// `processing_started` came.
    pub(crate) fn processing(&mut self, task: u64) -> Finding {
        let open = self.open.iter().any(|message| message.task == task);
        if open || self.remembered(task).is_some() {
            Finding::Fine
        } else {
            Finding::Unexpected
        }
    }

    /// `chunk` came.
    pub(crate) fn chunk(&mut self, task: u64, seq: u32, at_us: u64) -> Finding {
        let Some(place) = self.place_of(task) else {
            return self.stranger(task);
        };
        let step = self.open[place].chunk(seq, at_us);
        self.follow(place, step, at_us)
    }

    /// `complete` came.
    pub(crate) fn complete(&mut self, task: u64, chunks: u32, at_us: u64) -> Finding {
        let Some(place) = self.place_of(task) else {
            return self.stranger(task);
        };
        let step = self.open[place].complete(chunks, at_us);
        self.follow(place, step, at_us)
    }

    /// A refusal that may pass came (`unavailable`, `rate_limited`, `busy`). `wait_us` is asked how
    /// long to wait before further attempt number 1, 2, ….
    pub(crate) fn refused(
        &mut self,
        number: Option<u32>,
        now_us: u64,
        wait_us: impl FnOnce(u16) -> u64,
    ) -> Refusal {
        let (socket, retries) = (self.socket, self.retries);
        let Some(place) = self.refused_place(number) else {
            return self.refused_nothing(number);
        };
        let message = &mut self.open[place];
        message.answered(socket);
        message.refused = true;
        if message.attempts <= retries {
            let at_us = now_us.saturating_add(wait_us(message.attempts));
            message.retry_us = at_us;
            return Refusal::Again { at_us };
        }
        if message.task != 0 {
            // It had been taken all the same, so its answer may come by itself.
            return Refusal::Moot;
        }
        Refusal::Ended(self.end(place, now_us, Fate::Refused))
    }

    /// A refusal came that will not pass (`too_long`, `bad_frame`, …).
    pub(crate) fn refused_for_good(&mut self, number: Option<u32>, now_us: u64) -> Refusal {
        match self.refused_place(number) {
            Some(place) => Refusal::Ended(self.end(place, now_us, Fate::Refused)),
            None => self.refused_nothing(number),
        }
    }

    /// The server said that an acknowledged task cannot be answered any more.
    pub(crate) fn told_lost(&mut self, task: u64, now_us: u64) -> Refusal {
        match self.place_of(task) {
            Some(place) => Refusal::Ended(self.end(place, now_us, Fate::Lost(LostReason::Told))),
            None if self.remembered(task).is_some() => Refusal::Moot,
            None => Refusal::Unexpected,
        }
    }

    /// Marks the messages whose deadline has passed since the last call; returns what they are
    /// unless an answer still comes.
    pub(crate) fn expire(&mut self, now_us: u64) -> Vec<(u32, Fate)> {
        let drain_us = self.drain_us;
        let newly = self
            .open
            .iter_mut()
            .filter(|message| message.expired_as.is_none() && message.expired(now_us, drain_us));
        newly
            .map(|message| {
                message.retry_us = NEVER;
                let fate = message.fate_at(now_us, drain_us);
                message.expired_as = Some(fate);
                (message.number, fate)
            })
            .collect()
    }

    /// Messages whose end is open and whose deadline has not passed.
    pub(crate) fn waiting(&self, now_us: u64) -> usize {
        let hopeful = |message: &&Message| !message.expired(now_us, self.drain_us);
        self.open.iter().filter(hopeful).count()
    }

    /// Intended send of the oldest message that still waits for its end within its deadline.
    pub(crate) fn oldest_us(&self, now_us: u64) -> Option<u64> {
        let hopeful = |message: &&Message| !message.expired(now_us, self.drain_us);
        self.open.iter().find(hopeful).map(|m| m.intended_us)
    }

    /// Settles what is open, at the end of the run or of the client's stay.
    pub(crate) fn settle_all(&mut self, end_us: u64) -> impl Iterator<Item = Settled> + '_ {
        let drain_us = self.drain_us;
        self.open
            .drain(..)
            .map(move |message| message.settle_at(end_us, drain_us))
    }

    fn find(&mut self, number: u32) -> Option<&mut Message> {
        self.open.iter_mut().find(|m| m.number == number)
    }

    /// The open message that this task answers.
    pub(crate) fn number_of(&self, task: u64) -> Option<u32> {
        self.place_of(task).map(|place| self.open[place].number)
    }

    fn place_of(&self, task: u64) -> Option<usize> {
        self.open.iter().position(|message| message.task == task)
    }

    fn refused_place(&self, number: Option<u32>) -> Option<usize> {
        match number {
            Some(number) => self.open.iter().position(|m| m.number == number),
            None => self.open.iter().position(|m| m.awaits_queued(self.socket)),
        }
    }

    fn refused_nothing(&self, number: Option<u32>) -> Refusal {
        match number {
            Some(number) if number < self.next => Refusal::Moot,
            _ => Refusal::Unexpected,
        }
    }

    fn remembered(&self, task: u64) -> Option<u32> {
        let entry = self.settled.iter().find(|entry| entry.0 == task)?;
        Some(entry.1).filter(|_| task != 0)
    }

    fn remember(&mut self, task: u64, number: u32) {
        if task != 0 {
            self.settled[usize::from(self.settled_next) % REMEMBERED] = (task, number);
            self.settled_next = self.settled_next.wrapping_add(1);
        }
    }

    /// An event of a task that is not open.
    fn stranger(&self, task: u64) -> Finding {
        match self.remembered(task) {
            None => Finding::Unexpected,
            Some(number) if self.is_before_change(number) => Finding::Fine,
            Some(number) => Finding::Duplicated { number },
        }
    }

    fn follow(&mut self, place: usize, step: Step, at_us: u64) -> Finding {
        match step {
            Step::Finding(finding) => finding,
            Step::Whole { service_us } => Finding::Done {
                settled: self.end(place, at_us, Fate::Completed),
                service_us,
            },
        }
    }

    fn end(&mut self, place: usize, at_us: u64, fate: Fate) -> Settled {
        let message = self.open.remove(place).unwrap_or(Message::new(0, at_us));
        self.remember(message.task, message.number);
        message.settle(at_us, fate, self.drain_us)
    }
}

#[cfg(test)]
mod tests;
