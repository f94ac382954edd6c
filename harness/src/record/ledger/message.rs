//! This module holds one message on the books of its client.
//!
//! **In:** attempts and events of this message. **Out:** findings, and in the end [`Settled`].
//! **Units:** microseconds since load start.

/// What an event meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// As it should be; nothing to time.
    Fine,
    /// `task_queued` of a message, for the first time; service time.
    Queued { service_us: u64 },
    /// The first chunk of an answer; service time.
    FirstChunk { service_us: u64 },
    /// An event of a settled message came again, or its answer as a whole. (What comes again while
    /// a message is open, or out of order, stands in its [`Settled`].)
    Duplicated { number: u32 },
    /// The answer is complete; service time.
    Done { settled: Settled, service_us: u64 },
    /// Nothing this client asked for.
    Unexpected,
}

/// A moment that has not come.
pub(super) const NEVER: u64 = u64::MAX;

/// What became of a message (wire contract, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Completed,
    /// An explicit error, and no attempt left.
    Refused,
    /// Nothing came by the deadline, or it could never be sent.
    Unanswered,
    /// Acknowledged, and not answered in full by the deadline.
    Lost(LostReason),
    /// The run ended before its deadline.
    Pending,
}

/// How a message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LostReason {
    /// No `complete`.
    NoComplete,
    /// `complete` came, yet this `seq` (the first of them) did not.
    Incomplete { missing_seq: u32 },
    /// The server said so.
    Told,
}

/// A message at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub number: u32,
    pub intended_us: u64,
    pub sent_us: Option<u64>,
    pub queued_us: Option<u64>,
    pub first_chunk_us: Option<u64>,
    pub ended_us: u64,
    pub fate: Fate,
    pub attempts: u16,
    /// Events that came again while it was open.
    pub duplicated: u16,
    /// The first `seq` that came after a higher one.
    pub out_of_order: Option<u32>,
    /// Completed after its deadline.
    pub late: bool,
    /// What it was taken for when its deadline passed, if that was before its end.
    pub expired_as: Option<Fate>,
}

/// What an event did to a message.
pub(super) enum Step {
    Finding(Finding),
    /// Every chunk and `complete` are there.
    Whole {
        service_us: u64,
    },
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) number: u32,
    /// Socket of the last attempt.
    socket: u32,
    pub(super) intended_us: u64,
    /// Last attempt.
    sent_us: u64,
    queued_us: u64,
    first_chunk_us: u64,
    /// When to try again after a refusal.
    pub(super) retry_us: u64,
    /// Hash of the task id; 0: not acknowledged.
    pub(super) task: u64,
    pub(super) attempts: u16,
    /// Attempts answered, by `task_queued` or a refusal.
    acknowledged: u16,
    pub(super) duplicated: u16,
    out_of_order: Option<u32>,
    /// The last word was an explicit refusal.
    pub(super) refused: bool,
    /// What it was taken for when its deadline passed.
    pub(super) expired_as: Option<Fate>,
    /// Every `seq` below this has come.
    whole_to: u32,
    /// Bit *n*: `seq` `whole_to + 1 + n` has come. Wider gaps are not remembered; such an answer
    /// never becomes whole.
    beyond: u64,
    /// One past the highest `seq` on the current socket.
    on_socket: u32,
    /// As `complete` says; `u32::MAX` until then.
    chunks: u32,
    /// Socket that carried `complete`; 0: none.
    complete_on: u32,
    /// Two sockets may bring its events: none is a repetition, and they have no order.
    pub(super) heard_twice: bool,
}

impl Message {
    pub(super) const fn new(number: u32, intended_us: u64) -> Self {
        Self {
            number,
            socket: 0,
            intended_us,
            sent_us: NEVER,
            queued_us: NEVER,
            first_chunk_us: NEVER,
            retry_us: NEVER,
            task: 0,
            attempts: 0,
            acknowledged: 0,
            duplicated: 0,
            out_of_order: None,
            refused: false,
            expired_as: None,
            whole_to: 0,
            beyond: 0,
            on_socket: 0,
            chunks: u32::MAX,
            complete_on: 0,
            heard_twice: false,
        }
    }

    /// The last attempt went to that socket.
    pub(super) fn is_on(&self, socket: Option<u32>) -> bool {
        self.attempts > 0 && socket == Some(self.socket)
    }

    /// When the next attempt is due on `socket`; [`NEVER`] while an answer is awaited, on this one or the old.
    pub(super) fn due_us(&self, socket: u32, old: Option<u32>, retries: u16) -> u64 {
        if self.attempts == 0 {
            return self.intended_us;
        }
        if self.attempts > retries {
            return NEVER;
        }
        if self.retry_us != NEVER {
            self.retry_us
        } else if self.socket == socket || self.is_on(old) {
            NEVER
        } else {
            self.sent_us
        }
    }

    /// Until when it may be answered: the drain counts from its intended send, and again from its
    /// acknowledgement, so that an answer is not called lost because the harness would not wait.
    const fn deadline_us(&self, drain_us: u64) -> u64 {
        let acknowledged = self.task != 0 && self.queued_us != NEVER;
        if acknowledged && self.queued_us > self.intended_us {
            self.queued_us.saturating_add(drain_us)
        } else {
            self.intended_us.saturating_add(drain_us)
        }
    }

    pub(super) const fn expired(&self, now_us: u64, drain_us: u64) -> bool {
        self.deadline_us(drain_us) <= now_us
    }

    pub(super) const fn sent(&mut self, socket: u32, at_us: u64) {
        if self.socket != socket {
            // The server may repeat the answer from its beginning on a new socket.
            self.on_socket = 0;
            self.acknowledged = self.attempts;
        }
        self.socket = socket;
        self.attempts = self.attempts.saturating_add(1);
        self.sent_us = at_us;
        self.retry_us = NEVER;
    }

    /// An attempt on `socket` has had no answer yet.
    pub(super) const fn awaits_queued(&self, socket: u32) -> bool {
        self.socket == socket && self.acknowledged < self.attempts
    }

    pub(super) const fn answered(&mut self, socket: u32) {
        if self.awaits_queued(socket) {
            self.acknowledged += 1;
        }
    }

    pub(super) const fn acknowledge(&mut self, task: u64, at_us: u64) -> Finding {
        self.task = task;
        self.refused = false;
        self.queued_us = at_us;
        self.retry_us = NEVER;
        self.acknowledged = self.acknowledged.saturating_add(1);
        Finding::Queued {
            service_us: at_us.saturating_sub(self.sent_us),
        }
    }

    /// The same task again: what a further attempt is answered with, or what follows by itself
    /// after `unavailable`.
    pub(super) const fn acknowledge_again(&mut self) -> Finding {
        self.retry_us = NEVER;
        if self.attempts < 2 && !self.heard_twice {
            self.duplicated = self.duplicated.saturating_add(1);
        }
        self.acknowledged = self.attempts;
        Finding::Fine
    }

    pub(super) fn chunk(&mut self, seq: u32, at_us: u64) -> Step {
        // Not told: the next one.
        let seq = if seq == u32::MAX { self.on_socket } else { seq };
        let first = self.first_chunk_us == NEVER;
        let before = self.on_socket;
        self.on_socket = before.max(seq.saturating_add(1));
        if self.has(seq) {
            if seq < before && !self.heard_twice {
                self.duplicated = self.duplicated.saturating_add(1);
            }
            return Step::Finding(Finding::Fine);
        }
        self.add(seq);
        let after_complete = self.complete_on == self.socket;
        if (seq < before || after_complete) && !self.heard_twice {
            self.out_of_order.get_or_insert(seq);
        }
        if first {
            self.first_chunk_us = at_us;
        }
        let service_us = at_us.saturating_sub(self.sent_us);
        if self.whole_to >= self.chunks {
            Step::Whole { service_us }
        } else if first {
            Step::Finding(Finding::FirstChunk { service_us })
        } else {
            Step::Finding(Finding::Fine)
        }
    }

    pub(super) const fn complete(&mut self, chunks: u32, at_us: u64) -> Step {
        if self.complete_on == self.socket {
            if !self.heard_twice {
                self.duplicated = self.duplicated.saturating_add(1);
            }
            return Step::Finding(Finding::Fine);
        }
        self.complete_on = self.socket;
        // Not told: as many as came.
        let chunks = if chunks == u32::MAX {
            self.whole_to
        } else {
            chunks
        };
        self.chunks = chunks;
        if self.whole_to < chunks {
            // What is missing may still come, out of order.
            return Step::Finding(Finding::Fine);
        }
        Step::Whole {
            service_us: at_us.saturating_sub(self.sent_us),
        }
    }

    /// What this message is if nothing more is heard of it after `end_us`.
    pub(super) const fn fate_at(&self, end_us: u64, drain_us: u64) -> Fate {
        if !self.expired(end_us, drain_us) {
            return Fate::Pending;
        }
        if self.chunks != u32::MAX {
            return Fate::Lost(LostReason::Incomplete {
                missing_seq: self.whole_to,
            });
        }
        if self.task != 0 {
            return Fate::Lost(LostReason::NoComplete);
        }
        if self.refused {
            Fate::Refused
        } else {
            Fate::Unanswered
        }
    }

    /// Nothing more was heard of it: it ended with its deadline, or with the run.
    pub(super) fn settle_at(self, end_us: u64, drain_us: u64) -> Settled {
        let fate = self.fate_at(end_us, drain_us);
        let ended_us = end_us.min(self.deadline_us(drain_us));
        self.settle(ended_us, fate, drain_us)
    }

    pub(super) const fn settle(self, at_us: u64, fate: Fate, drain_us: u64) -> Settled {
        const fn moment(us: u64) -> Option<u64> {
            if us == NEVER { None } else { Some(us) }
        }
        Settled {
            number: self.number,
            intended_us: self.intended_us,
            sent_us: moment(self.sent_us),
            queued_us: moment(self.queued_us),
            first_chunk_us: moment(self.first_chunk_us),
            ended_us: at_us,
            fate,
            attempts: self.attempts,
            duplicated: self.duplicated,
            out_of_order: self.out_of_order,
            late: matches!(fate, Fate::Completed)
                && self.intended_us.saturating_add(drain_us) <= at_us,
            expired_as: self.expired_as,
        }
    }

    fn has(&self, seq: u32) -> bool {
        if seq < self.whole_to {
            return true;
        }
        seq.checked_sub(self.whole_to + 1)
            .is_some_and(|bit| bit < u64::BITS && self.beyond & (1 << bit) != 0)
    }

    fn add(&mut self, seq: u32) {
        if seq == self.whole_to {
            self.whole_to += 1;
            while self.beyond & 1 != 0 {
                self.beyond >>= 1;
                self.whole_to += 1;
            }
            self.beyond >>= 1;
        } else if let Some(bit) = seq.checked_sub(self.whole_to + 1)
            && bit < u64::BITS
        {
            self.beyond |= 1 << bit;
        }
    }
}
