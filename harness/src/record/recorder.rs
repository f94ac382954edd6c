//! This module is the pen: it writes what a thread sees into its notebook.
//!
//! **In:** settled messages, timed stages, ends of sockets, errors. **Out:** a [`Recording`], and
//! the live counters kept up to date on the way.
//!
//! Nothing here waits: one thread owns each recorder, and what others see of it are atomics and a
//! buffer handed over a few times a second.
//!
//! **Units:** microseconds since load start, or microseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::{Counters, Recent};
use super::diary::Step;
use super::fault::FaultBoard;
use super::ledger::{Fate, LostReason, Settled};
use super::recording::{CellKey, CloseCause, MessageExample, Recording, SessionInterval, earlier};
use super::subject::Subject;
use crate::failure::Failure;
use crate::scenario::expectation::Outcome;
use crate::stage::Stage;

/// One thread's recorder.
#[derive(Debug)]
pub(crate) struct Recorder {
    recording: Recording,
    recent: Recent,
    interval_us: u64,
    board: Arc<FaultBoard>,
    counters: Arc<Counters>,
}

/// Whose message it was, for an example. Built only where one is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Author {
    pub client: u32,
    pub conversation: String,
    pub client_message_id: String,
    /// Which of their messages, from 0; `None` where it is about the session.
    pub message: Option<u32>,
    /// What the client did and heard.
    pub steps: Vec<Step>,
}

impl Author {
    /// An example of what was theirs, at one moment and without a message's stamps.
    fn example(self, what: String, at_us: u64, fault: Option<u8>) -> MessageExample {
        MessageExample {
            client: self.client,
            client_message_id: self.client_message_id,
            message: self.message,
            conversation: self.conversation,
            what,
            intended_us: at_us,
            sent_us: None,
            queued_us: None,
            ended_us: Some(at_us),
            fault,
            steps: self.steps,
        }
    }

    /// The same of a message that has its end.
    fn settled(self, what: String, end: &Settled, fault: Option<u8>) -> MessageExample {
        MessageExample {
            intended_us: end.intended_us,
            sent_us: end.sent_us,
            queued_us: end.queued_us,
            ..self.example(what, end.ended_us, fault)
        }
    }
}

impl Recorder {
    pub(crate) fn new(interval_us: u64, board: Arc<FaultBoard>, counters: Arc<Counters>) -> Self {
        Self {
            recording: Recording::default(),
            recent: Recent::default(),
            interval_us: interval_us.max(1),
            board,
            counters,
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The notebook, for facts that need no more than a line.
    pub(crate) fn recording_mut(&mut self) -> &mut Recording {
        &mut self.recording
    }

    /// The notebook, from which on an empty one is written.
    pub(crate) fn take(&mut self) -> Recording {
        self.publish_recent();
        std::mem::take(&mut self.recording)
    }

    /// Hands the latencies since the last call to whoever watches the run.
    pub(crate) fn publish_recent(&mut self) {
        if self.counters.add_recent(|all| all.merge(&self.recent)) {
            self.recent = Recent::default();
        }
    }

    /// The plan intended a message by now.
    pub(crate) fn intended(&mut self) {
        self.recording.planned_sends += 1;
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Something that was due at that moment waited so long for the harness itself.
    pub(crate) fn late(&mut self, due_us: u64, lateness_us: u64) {
        let interval = self.interval(due_us);
        let lateness = self.recording.lateness.entry(interval).or_default();
        lateness.record(lateness_us);
        self.recent.lateness.record(lateness_us);
    }

    /// A message was first put on a socket.
    pub(crate) fn first_send(&mut self, intended_us: u64, ready_us: u64, written_us: u64) {
        let lateness_us = written_us.saturating_sub(intended_us.max(ready_us));
        self.late(intended_us, lateness_us);
        let delay_us = written_us.saturating_sub(intended_us);
        self.recording.dispatch_delay.record(delay_us);
    }

    /// A stage of a session was passed.
    pub(crate) fn session_stage(&mut self, stage: Stage, span: Span) {
        let response_us = span.end_us.saturating_sub(span.intended_us);
        let service_us = span.end_us.saturating_sub(span.begun_us);
        self.session(span.intended_us).response[stage.index()].record(response_us);
        self.recording.service[stage.index()].record(service_us);
        let touched = self.fault_of(span.intended_us, span.end_us).is_some();
        self.recent.record(stage, touched, response_us);
    }

    /// Service time of a message stage.
    pub(crate) fn service(&mut self, stage: Stage, service_us: u64) {
        self.recording.service[stage.index()].record(service_us);
    }

    /// Counts a failure at a moment.
    pub(crate) fn failure(&mut self, at_us: u64, failure: &Failure) {
        let interval = self.interval(at_us);
        self.recording.failure(interval, at_us, failure);
        self.trouble(at_us);
    }

    /// Something went wrong: if a fault is in force, it has reached a client.
    fn trouble(&mut self, at_us: u64) {
        if let Some(fault) = self.fault_of(at_us, at_us) {
            self.recording.trouble(fault, at_us);
        }
    }

    fn fault_of(&self, from_us: u64, to_us: u64) -> Option<u8> {
        let fault = self.board.touched(from_us, to_us);
        fault.and_then(|fault| u8::try_from(fault).ok())
    }

    /// Where something belongs that was meant for the one moment and over at the other.
    pub(super) fn key(&self, intended_us: u64, ended_us: u64) -> CellKey {
        CellKey {
            interval: self.interval(intended_us),
            fault: self.fault_of(intended_us, ended_us),
        }
    }

    /// Shows a latency to whoever watches.
    pub(super) fn recent(&mut self, stage: Stage, touched: bool, response_us: u64) {
        self.recent.record(stage, touched, response_us);
    }

    /// A token request ended, one way or the other.
    pub(crate) fn token_request(&mut self, asked_us: u64, ended_us: u64) {
        let service_us = ended_us.saturating_sub(asked_us);
        self.session(ended_us).token_service.record(service_us);
    }

    /// An open socket ended.
    pub(crate) fn socket_ended(&mut self, at_us: u64, code: u16, cause: CloseCause) {
        let closes = &mut self.session(at_us).closes;
        *closes.entry((code, cause)).or_insert(0) += 1;
        self.counters.socket_ended();
        if cause == CloseCause::Cut {
            self.counters.socket_cut(code);
        }
        if cause != CloseCause::Planned {
            self.trouble(at_us);
        }
    }

    /// Session counts of the interval of `at_us`.
    pub(crate) fn session(&mut self, at_us: u64) -> &mut SessionInterval {
        let interval = self.interval(at_us);
        self.recording.sessions.entry(interval).or_default()
    }

    /// A deadline passed: shown at once to whoever watches; recorded when the message is settled.
    pub(crate) fn expired(&self, fate: Fate) {
        if let Some(counter) = self.live(fate) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records a message at its end.
    pub(crate) fn settle(&mut self, end: &Settled, author: impl Fn() -> Author) {
        let key = self.key(end.intended_us, end.ended_us);
        if let Some(fault) = key.fault {
            let began_us = self.board.began_us(usize::from(fault));
            let message = (end.intended_us, end.ended_us);
            self.recording.settled((fault, began_us), message);
        }
        self.count(end);
        self.example(end, key.fault, &author);
        self.slowest(end, key.fault, &author);
        let cell = self.recording.cells.entry(key).or_default();
        let delivery = &mut cell.delivery;
        delivery.sent += 1;
        match end.fate {
            Fate::Completed => delivery.completed += 1,
            Fate::Refused => delivery.refused += 1,
            Fate::Unanswered => delivery.unanswered += 1,
            Fate::Lost(_) => delivery.lost += 1,
            Fate::Pending => delivery.pending += 1,
        }
        delivery.duplicated += u64::from(end.duplicated);
        delivery.out_of_order += u64::from(end.out_of_order.is_some());
        delivery.late += u64::from(end.late);
        delivery.attempts += u64::from(end.attempts);
        let complete_us = Some(end.ended_us).filter(|_| end.fate == Fate::Completed);
        let stages = [
            (Stage::TaskQueued, end.queued_us, &mut cell.task_queued),
            (Stage::FirstChunk, end.first_chunk_us, &mut cell.first_chunk),
            (Stage::Complete, complete_us, &mut cell.complete),
        ];
        for (stage, at_us, histogram) in stages {
            if let Some(at_us) = at_us {
                let response_us = at_us.saturating_sub(end.intended_us);
                histogram.record(response_us);
                self.recent.record(stage, key.fault.is_some(), response_us);
            }
        }
    }

    /// An event of a settled message came again.
    pub(crate) fn repeated(&mut self, at_us: u64, author: impl Fn() -> Author) {
        let cell = self.cell_at(at_us);
        cell.delivery.duplicated += 1;
        self.counters.duplicated.fetch_add(1, Ordering::Relaxed);
        self.stray(Outcome::Duplicated, "after its end", at_us, author);
    }

    /// A frame came for nothing this client asked.
    pub(crate) fn unexpected(&mut self, at_us: u64, author: impl Fn() -> Author) {
        let cell = self.cell_at(at_us);
        cell.delivery.unexpected += 1;
        self.counters.unexpected.fetch_add(1, Ordering::Relaxed);
        let detail = "nothing this client asked";
        self.stray(Outcome::Unexpected, detail, at_us, author);
    }

    fn interval(&self, at_us: u64) -> u32 {
        u32::try_from(at_us / self.interval_us).unwrap_or(u32::MAX)
    }

    fn cell_at(&mut self, at_us: u64) -> &mut super::recording::Cell {
        let key = self.key(at_us, at_us);
        self.recording.cells.entry(key).or_default()
    }

    fn live(&self, fate: Fate) -> Option<&AtomicU64> {
        match fate {
            Fate::Completed => Some(&self.counters.completed),
            Fate::Refused => Some(&self.counters.refused),
            Fate::Unanswered => Some(&self.counters.unanswered),
            Fate::Lost(_) => Some(&self.counters.lost),
            Fate::Pending => None,
        }
    }

    /// Brings the live counters to where this end leaves them.
    fn count(&self, end: &Settled) {
        if let Some(counter) = end.expired_as.and_then(|shown| self.live(shown)) {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(counter) = self.live(end.fate) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let duplicated = u64::from(end.duplicated);
        let counters = &self.counters;
        counters.duplicated.fetch_add(duplicated, Ordering::Relaxed);
        let reordered = u64::from(end.out_of_order.is_some());
        counters
            .out_of_order
            .fetch_add(reordered, Ordering::Relaxed);
    }

    fn example(&mut self, end: &Settled, fault: Option<u8>, author: impl Fn() -> Author) {
        let lost = match end.fate {
            Fate::Lost(LostReason::NoComplete) => Some("no complete".to_owned()),
            Fate::Lost(LostReason::Incomplete { missing_seq }) => {
                Some(format!("incomplete, seq {missing_seq} missing"))
            }
            Fate::Lost(LostReason::Told) => Some("the server said so".to_owned()),
            Fate::Completed | Fate::Refused | Fate::Unanswered | Fate::Pending => None,
        };
        let duplicated = end.duplicated;
        let duplicated = (duplicated > 0).then(|| format!("{duplicated} events came again"));
        let disorder = end.out_of_order;
        let disorder = disorder.map(|seq| format!("seq {seq} after a later one"));
        for (outcome, detail) in [
            (Outcome::Lost, lost),
            (Outcome::Duplicated, duplicated),
            (Outcome::OutOfOrder, disorder),
        ] {
            if let Some(detail) = detail {
                if !self.recording.has_room(end.intended_us) {
                    self.recording.examples_dropped += 1;
                    continue;
                }
                let what = Subject::Promise(outcome).told(&detail);
                let example = author().settled(what, end, fault);
                self.recording.example(example);
            }
        }
    }

    /// Keeps the session of the slowest answer.
    fn slowest(&mut self, end: &Settled, fault: Option<u8>, author: impl Fn() -> Author) {
        let response_us = end.ended_us.saturating_sub(end.intended_us);
        let slowest = self.recording.slowest.as_ref();
        if end.fate != Fate::Completed || slowest.is_some_and(|(known, _)| *known > response_us) {
            return;
        }
        let example = author().settled(Subject::Slowest.text().to_owned(), end, fault);
        self.recording.slow(response_us, example);
    }

    /// Keeps the session of the first socket that was cut.
    pub(crate) fn cut(&mut self, at_us: u64, how: &str, author: impl Fn() -> Author) {
        let first = self.recording.first_cut.as_ref();
        if first.is_some_and(|first| first.intended_us < at_us) {
            return;
        }
        let what = Subject::Cut.told(how);
        let fault = self.fault_of(at_us, at_us);
        let cut = author().example(what, at_us, fault);
        self.recording.first_cut = earlier(self.recording.first_cut.take(), Some(cut));
    }

    /// Keeps what the first client went through that gave up.
    pub(crate) fn given_up(&mut self, at_us: u64, author: impl Fn() -> Author) {
        let first = self.recording.first_given_up.as_ref();
        if first.is_some_and(|first| first.intended_us < at_us) {
            return;
        }
        let fault = self.fault_of(at_us, at_us);
        let what = Subject::GaveUp.text().to_owned();
        let one = author().example(what, at_us, fault);
        self.recording.first_given_up = earlier(self.recording.first_given_up.take(), Some(one));
    }

    /// An example of a frame that belongs to no open message.
    fn stray(&mut self, of: Outcome, detail: &str, at_us: u64, author: impl Fn() -> Author) {
        if !self.recording.has_room(at_us) {
            self.recording.examples_dropped += 1;
            return;
        }
        let fault = self.fault_of(at_us, at_us);
        let what = Subject::Promise(of).told(detail);
        let example = author().example(what, at_us, fault);
        self.recording.example(example);
    }
}

/// From when to when a stage lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// When the session or the heartbeat should have begun: response time counts from here.
    pub intended_us: u64,
    /// When the stage itself began: service time counts from here.
    pub begun_us: u64,
    pub end_us: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::FailureKind;

    /// What one client saw.
    #[derive(Clone, Debug)]
    enum Fact {
        Settled {
            number: u32,
            intended_us: u64,
            took_us: u64,
            fate: Fate,
            duplicated: u16,
        },
        Sent(u64, u64),
        Stage(u64, u64),
        Failed(u64, u8),
        Cut(u64),
        GaveUp(u64),
        Stranger(u64),
    }

    fn fact() -> impl Strategy<Value = Fact> {
        // Few different moments, so that many things happen at once.
        let at = || (0_u64..40).prop_map(|step| step * 50_000);
        let took = || (0_u64..2_000_000).prop_map(|us| us / 1_000 * 1_000);
        let fate = prop_oneof![
            4 => Just(Fate::Completed),
            1 => Just(Fate::Lost(LostReason::NoComplete)),
            1 => Just(Fate::Unanswered),
            1 => Just(Fate::Refused),
        ];
        let settled = (0_u32..500, at(), took(), fate, 0_u16..2);
        prop_oneof![
            6 => settled.prop_map(|(number, intended_us, took_us, fate, duplicated)| Fact::Settled {
                number, intended_us, took_us, fate, duplicated,
            }),
            2 => (at(), took()).prop_map(|(at_us, took_us)| Fact::Sent(at_us, took_us)),
            2 => (at(), took()).prop_map(|(at_us, took_us)| Fact::Stage(at_us, took_us)),
            1 => (at(), 0_u8..12).prop_map(|(at_us, words)| Fact::Failed(at_us, words)),
            1 => at().prop_map(Fact::Cut),
            1 => at().prop_map(Fact::GaveUp),
            3 => at().prop_map(Fact::Stranger),
        ]
    }

    fn recorder() -> Recorder {
        let board = FaultBoard::new(1);
        board.begin(0, 700_000);
        board.end(0, 1_400_000);
        Recorder::new(250_000, Arc::new(board), Arc::new(Counters::new(1)))
    }

    fn author(client: u32, message: Option<u32>) -> Author {
        Author {
            client,
            conversation: format!("c-{client}"),
            client_message_id: String::new(),
            message,
            steps: Vec::new(),
        }
    }

    fn write(recorder: &mut Recorder, client: u32, fact: &Fact) {
        let own = || author(client, None);
        match *fact {
            Fact::Settled {
                number,
                intended_us,
                took_us,
                fate,
                duplicated,
            } => {
                let ended_us = intended_us + took_us;
                let end = Settled {
                    number,
                    fate,
                    intended_us,
                    sent_us: Some(intended_us),
                    queued_us: Some(intended_us + took_us / 10),
                    first_chunk_us: Some(intended_us + took_us / 2),
                    ended_us,
                    attempts: 1,
                    duplicated,
                    out_of_order: None,
                    late: false,
                    expired_as: None,
                };
                recorder.intended();
                recorder.settle(&end, || author(client, Some(number)));
            }
            Fact::Sent(at_us, took_us) => recorder.first_send(at_us, 0, at_us + took_us),
            Fact::Stage(at_us, took_us) => {
                let span = Span {
                    intended_us: at_us,
                    begun_us: at_us + took_us / 2,
                    end_us: at_us + took_us,
                };
                recorder.session_stage(Stage::Token, span);
            }
            Fact::Failed(at_us, words) => {
                let failure = Failure::said(FailureKind::NotReady, &format!("word {words}"));
                recorder.failure(at_us, &failure);
            }
            Fact::Cut(at_us) => {
                recorder.socket_ended(at_us, 1006, CloseCause::Cut);
                recorder.cut(at_us, "reset", own);
            }
            Fact::GaveUp(at_us) => recorder.given_up(at_us, own),
            Fact::Stranger(at_us) => recorder.unexpected(at_us, own),
        }
    }

    proptest! {
        #[test]
        fn whoever_wrote_it_down_it_is_the_same_record(
            facts in prop::collection::vec((0_u32..12, fact()), 1..1_500),
            cut in prop::collection::vec(0_usize..4, 12),
            order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle(),
        ) {
            let mut one = recorder();
            let mut several = [(); 4].map(|()| recorder());
            for (client, fact) in &facts {
                write(&mut one, *client, fact);
                write(&mut several[cut[*client as usize]], *client, fact);
            }
            let parts = several.map(|mut recorder| recorder.take());
            let whole = one.take();
            let mut merged = Recording::default();
            for part in &order {
                // As it comes from another process.
                let sent = rmp_serde::to_vec_named(&parts[*part]).unwrap();
                merged.merge(rmp_serde::from_slice(&sent).unwrap());
            }
            prop_assert_eq!(&merged, &whole);
            // Two by two, and those together.
            let [a, b, c, d] = parts;
            let (mut left, mut right) = (a, c);
            left.merge(b);
            right.merge(d);
            right.merge(left);
            prop_assert_eq!(right, whole);
        }
    }
}
