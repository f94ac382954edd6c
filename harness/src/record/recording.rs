//! This module is the notebook of one thread: everything it saw, by interval.
//!
//! **In:** single facts. **Out:** a [`Recording`] that merges with those of the other threads.
//!
//! What is merged is what one thread would have written that saw everything, whatever clients the others had and in
//! whatever order they are added; but where a server makes up more than [`KINDS_MAX`] kinds of failures.
//!
//! **Units:** an interval is `interval_us` long (the plan says how long) and numbered from 0 at
//! load start; moments are microseconds since load start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::diary::Step;
use super::histogram::SparseHistogram;
use super::slow::SlowWaits;
use crate::failure::{Failure, FailureKind};
use crate::record::delivery::Delivery;
use crate::stage::Stage;

/// Examples of messages that were lost, repeated, reordered or unexpected that are kept: those intended first.
pub(crate) const EXAMPLES_MAX: usize = 200;

/// Kinds of failures that are counted apart, per thread: a server may make up a code for every `error` event.
pub(crate) const KINDS_MAX: usize = 100;
/// Different words that are kept of one kind.
const WORDS_MAX: usize = 5;

/// Everything one thread saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recording {
    /// Messages and their latencies, by interval of the intended send and fault touched.
    pub cells: BTreeMap<CellKey, Cell>,
    /// Latencies of session stages (not of messages) by interval of the intended start.
    pub sessions: BTreeMap<u32, SessionInterval>,
    /// Service time (reply − actual send) of each stage, whole run.
    pub service: [SparseHistogram; Stage::COUNT],
    /// Socket ready → write, by interval of the intended send: the harness's own lateness.
    pub lateness: BTreeMap<u32, SparseHistogram>,
    /// Intended → actual send, whole run; waiting for a socket or an answer included.
    pub dispatch_delay: SparseHistogram,
    /// User stamp − kernel stamp of received frames, whole run.
    pub receive_lag: SparseHistogram,
    /// Sends that the plan intended for this thread's clients so far, due or done.
    pub planned_sends: u64,
    /// Of those, never sent because their client had no socket when its stay ended.
    pub unsent_without_socket: u64,
    /// Frames received, of any kind.
    pub frames_received: u64,
    /// Frames that had no kernel stamp (they came with the `101`), so user time was taken.
    pub frames_unstamped: u64,
    /// Of those received, what was about messages of others who share a conversation.
    pub frames_of_others: u64,
    /// What went wrong for clients, by interval. At most [`KINDS_MAX`] kinds, the rest together.
    pub failures: BTreeMap<(u32, FailureKind), u64>,
    /// What came with each kind.
    pub said: BTreeMap<FailureKind, Said>,
    /// By fault: the first refusal, failure or cut it caused, and the end of the last message it
    /// touched.
    pub impact: BTreeMap<u8, Impact>,
    /// Messages worth showing, at most [`EXAMPLES_MAX`], by [`MessageExample::rank`].
    pub examples: Vec<MessageExample>,
    /// Examples that did not fit.
    pub examples_dropped: u64,
    /// The slowest answer, with its response time.
    pub slowest: Option<(u64, MessageExample)>,
    /// The first socket that the server or the network ended.
    pub first_cut: Option<MessageExample>,
    /// The first client that gave up.
    pub first_given_up: Option<MessageExample>,
}

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct CellKey {
    /// Interval of the (first) intended send.
    pub interval: u32,
    /// The fault that any part of the message's life touched, by its place in the plan.
    pub fault: Option<u8>,
}

/// Messages of one interval and fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub delivery: Delivery,
    pub task_queued: SparseHistogram,
    pub first_chunk: SparseHistogram,
    pub complete: SparseHistogram,
    /// From the intended send of a message to each other member of its conversation.
    pub fan_out: SparseHistogram,
}

/// Sessions of one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionInterval {
    /// Response time of session stages; message stages stay empty here.
    pub response: [SparseHistogram; Stage::COUNT],
    /// Token requests answered 200, and the others.
    pub tokens_ok: u64,
    pub tokens_failed: u64,
    /// Service time of token requests, refused and failed ones included.
    pub token_service: SparseHistogram,
    /// Requests over HTTP that were sent once more: the first was lost with a kept connection.
    pub requests_repeated: u64,
    /// Sockets that reached `connected`.
    pub opened: u64,
    /// Connection attempts (token to `connected`) begun after an abnormal close.
    pub reconnect_attempts: u64,
    /// Connection attempts that did not reach `connected`.
    pub connects_failed: u64,
    /// Clients that gave up.
    pub clients_failed: u64,
    /// Sockets that ended, by close code and whose doing it was.
    pub closes: BTreeMap<(u16, CloseCause), u64>,
}

/// What came with the failures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// When it first happened.
    pub first_us: Option<u64>,
    /// The first different words, at most [`WORDS_MAX`], each with when it first came; in that order.
    words: Vec<(u64, Box<str>)>,
}

impl Said {
    fn add(&mut self, at_us: u64, words: Option<&str>) {
        self.first_us = Some(self.first_us.map_or(at_us, |first| first.min(at_us)));
        if let Some(words) = words {
            self.hear(at_us, words);
        }
    }

    /// Of words that came again the first time counts, and of all the first few: who was left out once had so many
    /// before it, and has them for ever.
    fn hear(&mut self, at_us: u64, words: &str) {
        let known = self.words.iter().position(|(_, known)| **known == *words);
        if let Some(known) = known {
            if self.words[known].0 <= at_us {
                return;
            }
            self.words.remove(known);
        }
        let before = |kept: &(u64, Box<str>)| (kept.0, &*kept.1) < (at_us, words);
        let at = self.words.partition_point(before);
        if at < WORDS_MAX {
            self.words.insert(at, (at_us, words.into()));
            self.words.truncate(WORDS_MAX);
        }
    }

    /// The first different words.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = self.words.iter();
        words.map(|(_, words)| words.to_string()).collect()
    }

    fn merge(&mut self, other: Self) {
        self.first_us = [self.first_us, other.first_us].into_iter().flatten().min();
        for (at_us, words) in other.words {
            self.hear(at_us, &words);
        }
    }
}

/// The reach of one fault, as one thread saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Impact {
    /// First refusal, failure or cut while the fault was in force.
    pub first_us: Option<u64>,
    /// End of the last message that the fault touched.
    pub settled_us: Option<u64>,
    /// Messages that it touched and that may have been too slow.
    pub slow: SlowWaits,
}

/// Whose doing the end of a socket was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum CloseCause {
    /// The plan: end of the load, or a reconnector's choice.
    Planned,
    /// The server or the network.
    Cut,
    /// The client, because what came breaks the protocol or a limit of the harness.
    Violation,
}

/// One message, from intended send to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageExample {
    pub client: u32,
    pub client_message_id: String,
    /// Which of the client's messages, from 0: how [`Step`]s name it.
    pub message: Option<u32>,
    pub conversation: String,
    /// `lost: no complete`, `lost: incomplete, seq 2 missing`, `out of order: …`
    pub what: String,
    pub intended_us: u64,
    pub sent_us: Option<u64>,
    pub queued_us: Option<u64>,
    pub ended_us: Option<u64>,
    pub fault: Option<u8>,
    /// What its client did and heard until then.
    pub steps: Vec<Step>,
}

impl Recording {
    /// Adds what another thread saw.
    pub(crate) fn merge(&mut self, other: Self) {
        for (key, cell) in other.cells {
            self.cells.entry(key).or_default().merge(&cell);
        }
        for (interval, sessions) in other.sessions {
            self.sessions.entry(interval).or_default().merge(&sessions);
        }
        for (mine, theirs) in self.service.iter_mut().zip(&other.service) {
            mine.merge(theirs);
        }
        for (interval, lateness) in other.lateness {
            self.lateness.entry(interval).or_default().merge(&lateness);
        }
        self.dispatch_delay.merge(&other.dispatch_delay);
        self.receive_lag.merge(&other.receive_lag);
        self.slowest = match (self.slowest.take(), other.slowest) {
            (Some(mine), Some(theirs)) if is_slower(&theirs, &mine) => Some(theirs),
            (mine, theirs) => mine.or(theirs),
        };
        self.first_cut = earlier(self.first_cut.take(), other.first_cut);
        self.first_given_up = earlier(self.first_given_up.take(), other.first_given_up);
        self.planned_sends += other.planned_sends;
        self.unsent_without_socket += other.unsent_without_socket;
        self.frames_received += other.frames_received;
        self.frames_unstamped += other.frames_unstamped;
        self.frames_of_others += other.frames_of_others;
        for (key, count) in other.failures {
            *self.failures.entry(key).or_insert(0) += count;
        }
        for (kind, said) in other.said {
            self.said.entry(kind).or_default().merge(said);
        }
        for (fault, impact) in other.impact {
            let mine = self.impact.entry(fault).or_default();
            mine.first_us = [mine.first_us, impact.first_us].into_iter().flatten().min();
            mine.settled_us = mine.settled_us.max(impact.settled_us);
            mine.slow.merge(impact.slow);
        }
        self.examples_dropped += other.examples_dropped;
        for example in other.examples {
            self.example(example);
        }
    }

    /// Counts a failure, and keeps what came with it.
    pub(crate) fn failure(&mut self, interval: u32, at_us: u64, failure: &Failure) {
        // The others are bounded by themselves.
        let is_made_up = matches!(failure.kind, FailureKind::Event { .. });
        let known =
            !is_made_up || self.said.len() < KINDS_MAX || self.said.contains_key(&failure.kind);
        let kind = if known {
            failure.kind.clone()
        } else {
            FailureKind::Further
        };
        let said = self.said.entry(kind.clone()).or_default();
        said.add(at_us, failure.words.as_deref());
        *self.failures.entry((interval, kind)).or_insert(0) += 1;
    }

    /// Something went wrong at `at_us` while `fault` was in force.
    pub(crate) fn trouble(&mut self, fault: u8, at_us: u64) {
        let first = &mut self.impact.entry(fault).or_default().first_us;
        *first = Some(first.map_or(at_us, |known| known.min(at_us)));
    }

    /// A message that `fault` touched, which began at `from_us`: intended and ended then.
    pub(crate) fn settled(&mut self, (fault, from_us): (u8, u64), message: (u64, u64)) {
        let impact = self.impact.entry(fault).or_default();
        impact.settled_us = impact.settled_us.max(Some(message.1));
        impact.slow.add(from_us, message);
    }

    /// Whether an example of that moment may be kept; it is not worth making where not.
    pub(crate) fn has_room(&self, intended_us: u64) -> bool {
        let last = self.examples.get(EXAMPLES_MAX - 1);
        last.is_none_or(|last| intended_us <= last.intended_us)
    }

    /// Keeps an example, and counts the one for which there is no room.
    pub(crate) fn example(&mut self, example: MessageExample) {
        let before = |kept: &MessageExample| kept.rank() <= example.rank();
        let at = self.examples.partition_point(before);
        self.examples.insert(at, example);
        if self.examples.len() > EXAMPLES_MAX {
            self.examples.pop();
            self.examples_dropped += 1;
        }
    }

    /// Keeps the slowest answer.
    pub(crate) fn slow(&mut self, response_us: u64, example: MessageExample) {
        let one = (response_us, example);
        if self
            .slowest
            .as_ref()
            .is_none_or(|known| is_slower(&one, known))
        {
            self.slowest = Some(one);
        }
    }
}

impl MessageExample {
    /// Its place among others: no two of different clients have the same.
    fn rank(&self) -> (u64, u32, Option<u32>, Option<u64>, &str) {
        (
            self.intended_us,
            self.client,
            self.message,
            self.ended_us,
            &self.what,
        )
    }
}

/// Whether one answer has the better right to be the slowest.
fn is_slower(one: &(u64, MessageExample), other: &(u64, MessageExample)) -> bool {
    (one.0, other.1.rank()) > (other.0, one.1.rank())
}

/// Of two examples of the same kind.
pub(super) fn earlier(
    mine: Option<MessageExample>,
    theirs: Option<MessageExample>,
) -> Option<MessageExample> {
    let both = mine.into_iter().chain(theirs);
    both.min_by(|mine, theirs| mine.rank().cmp(&theirs.rank()))
}

impl Cell {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.delivery.merge(other.delivery);
        self.task_queued.merge(&other.task_queued);
        self.first_chunk.merge(&other.first_chunk);
        self.fan_out.merge(&other.fan_out);
        self.complete.merge(&other.complete);
    }
}

impl SessionInterval {
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.response.iter_mut().zip(&other.response) {
            mine.merge(theirs);
        }
        self.tokens_ok += other.tokens_ok;
        self.tokens_failed += other.tokens_failed;
        self.token_service.merge(&other.token_service);
        self.requests_repeated += other.requests_repeated;
        self.opened += other.opened;
        self.reconnect_attempts += other.reconnect_attempts;
        self.connects_failed += other.connects_failed;
        self.clients_failed += other.clients_failed;
        for (&key, count) in &other.closes {
            *self.closes.entry(key).or_insert(0) += count;
        }
    }
}
