//! This module is how a client changes sockets without a gap: when it is told that its access token ends
//! soon, it opens a second socket under a new one before it gives up the first.
//!
//! ```text
//! token_expiring_soon → the user gets a new access token, a token, a socket → `connected`
//!   → all that is said from now on goes to the new one; the old one is heard until what was asked on it is
//!     answered, then it closes
//! ```
//!
//! Both are in one conversation and hear the same. So what concerns a message of before the change counts
//! wherever it comes first, and again as nothing (see the ledger's `change_sockets`); what the old one brings of
//! later messages is passed by. A successor that is not let in is one more failed connect of its user, who
//! backs off and tries again, while the old socket goes on; where that one ends first, the successor takes
//! its place however far it is.
//!
//! `spare` is the successor while it is `Opening`, the predecessor from then on. Of a server that a dialect maps
//! the client takes leave instead and comes back: what its frames leave unnamed cannot be told apart.
//!
//! **Units:** microseconds since load start. **Source:** wire contract, section 6.

use std::task::{Context, Poll};

use super::ending::REFUSED;
use super::read::FRAMES_PER_TURN;
use super::turn::LULL_US;
use super::{ABNORMAL, CLOSING_US, Client, Link, NORMAL, Phase, Why};
use crate::account::quoted;
use crate::client::socket::Incoming;
use crate::client::wire::ServerFrame;
use crate::clock::monotonic_ns;
use crate::failure::{Ending, Failure, FailureKind};
use crate::load::job::{SessionEnd, answer};
use crate::load::lane::LaneContext;
use crate::record::diary::What;
use crate::record::recorder::Span;
use crate::record::recording::CloseCause;
use crate::stage::Stage;

impl Client {
    /// Asks the user for a successor to a socket whose credential ends soon, once.
    pub(super) fn ask_for_successor(&mut self, lane: &LaneContext, now_us: u64) {
        if lane.job().target.dialect.is_some() || self.spare.is_some() {
            return;
        }
        if let Some(link) = self.link.as_mut()
            && link.renew_us <= now_us
            && let Some(renew) = link.renew.take()
        {
            self.diary.note(now_us, What::Renews);
            if renew.send(()).is_err() {
                tracing::trace!("a user was gone before its successor was asked for");
            }
        }
    }

    /// The second socket's part in a turn.
    pub(super) fn turn_spare(&mut self, lane: &LaneContext, now_us: u64) {
        let Some(spare) = self.spare.as_ref() else {
            return;
        };
        let late = now_us >= spare.deadline_us;
        match spare.phase {
            Phase::Opening if late || lane.cancelled() => {
                self.successor_failed(lane, now_us, FailureKind::NotReady.into());
            }
            Phase::Open
                if late || lane.cancelled() || !self.ledger.is_owed_before_change(now_us) =>
            {
                self.close_predecessor(lane, now_us);
            }
            Phase::Closing(_) if late => {
                let answered = spare.answered;
                self.predecessor_gone(lane, now_us, answered);
            }
            Phase::Opening | Phase::Open | Phase::Closing(_) => {}
        }
    }

    /// When the second socket wants a turn; `u64::MAX`: not.
    pub(super) fn spare_us(&self) -> u64 {
        let spare = self.spare.as_ref();
        spare.map_or(u64::MAX, |spare| spare.deadline_us)
    }

    /// The successor is `connected`: it takes over.
    pub(super) fn successor_ready(&mut self, lane: &LaneContext, at_us: u64) {
        let job = lane.job();
        let now_us = job.clock.now_us();
        if let Some(Phase::Closing(why)) = self.link.as_ref().map(|link| link.phase) {
            // The server closes the old one itself: that is its end.
            self.closed(lane, now_us, why, true);
            self.connected(lane, at_us);
            return;
        }
        let (Some(mut old), Some(mut new)) = (self.link.take(), self.spare.take()) else {
            return;
        };
        new.up(at_us, now_us, job.load.heartbeat_us);
        let span = Span {
            intended_us: old.renew_us.min(new.begun_us),
            begun_us: new.begun_us,
            end_us: at_us,
        };
        self.diary.note(at_us, What::Connected);
        // What others were being answered comes on the old socket alone, and that is given up before it.
        self.leaves(lane, at_us, false);
        self.joins(lane, at_us);
        lane.opening(-1);
        let mut recorder = lane.recorder();
        recorder.session_stage(Stage::SessionReady, span);
        recorder.session(at_us).opened += 1;
        recorder.counters().socket_opened();
        drop(recorder);
        if let Some(reply) = old.reply.take() {
            answer(reply, SessionEnd::HandedOver);
        }
        // As long as an answer may take that began just now.
        let patience_us = LULL_US + 2 * job.load.drain_us;
        old.deadline_us = now_us + patience_us;
        self.copies_us = old.deadline_us;
        self.ledger.change_sockets();
        self.conduct.opened(now_us);
        self.link = Some(new);
        self.spare = Some(old);
        self.stirred = true;
    }

    /// Nothing is owed on the old socket any more, or it took too long.
    fn close_predecessor(&mut self, lane: &LaneContext, now_us: u64) {
        let Some(old) = self.spare.as_mut() else {
            return;
        };
        self.diary.note(now_us, What::Closes);
        let trace = &lane.job().trace;
        trace.tell(now_us, || "-> close 1000, on the old socket".to_owned());
        old.phase = Phase::Closing(Why::HandedOver);
        old.deadline_us = now_us + CLOSING_US;
        let Ok(flushed) = old.socket.close() else {
            return self.predecessor_gone(lane, now_us, false);
        };
        old.unflushed |= !flushed;
        if let Some(waker) = &old.waker {
            waker.wake_by_ref();
        }
    }

    /// The first socket is gone, and a successor was on its way: it is the first from now on.
    pub(super) fn succeed(&mut self) {
        self.link = self.spare.take_if(|spare| spare.phase == Phase::Opening);
        self.wake();
    }

    /// Reads the second socket.
    pub(super) fn read_spare(&mut self, lane: &LaneContext, generation: u32, cx: &mut Context<'_>) {
        let now_ns = monotonic_ns();
        let now_us = lane.job().clock.at_us(now_ns);
        for frames in 0.. {
            let spare = self.spare.as_mut();
            let Some(spare) = spare.filter(|spare| spare.generation == generation) else {
                break;
            };
            spare.waker = Some(cx.waker().clone());
            if spare.unflushed {
                match spare.socket.poll_flush(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => spare.unflushed = false,
                    Poll::Ready(Err(error)) => {
                        self.spare_cut(lane, now_us, error.ending());
                        break;
                    }
                }
            }
            if frames == FRAMES_PER_TURN {
                spare.socket.look_again();
                cx.waker().wake_by_ref();
                break;
            }
            match spare.socket.poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(incoming) => self.incoming_spare(lane, incoming, now_ns),
            }
        }
        self.turn(lane, now_us);
        if let Some(link) = self.link.as_mut().filter(|l| l.generation == generation) {
            // It took over: what has come since is read as the client's own.
            link.socket.look_again();
            cx.waker().wake_by_ref();
        }
    }

    fn incoming_spare(&mut self, lane: &LaneContext, incoming: Incoming, now_ns: u64) {
        let now_us = lane.job().clock.at_us(now_ns);
        let Some(phase) = self.spare.as_ref().map(|spare| spare.phase) else {
            return;
        };
        match incoming {
            Incoming::Text(text, stamp_ns) => {
                let at_us = lane.received(stamp_ns, now_ns, phase != Phase::Opening);
                match (ServerFrame::parse(&text), phase) {
                    (Ok(ServerFrame::Connected), Phase::Opening) => {
                        lane.job().trace.tell(at_us, || format!("<- {text}"));
                        self.successor_ready(lane, at_us);
                    }
                    (Ok(frame), Phase::Open) if self.is_of_before(lane, &frame) => {
                        lane.job().trace.tell(at_us, || format!("<- {text}"));
                        self.frame(lane, Ok(frame), at_us);
                    }
                    _ => {}
                }
            }
            Incoming::Other | Incoming::Binary(..) => lane.received_other(),
            Incoming::Ended(ending) => self.spare_cut(lane, now_us, ending),
            Incoming::Violated(failure) => self.spare_violated(lane, now_us, phase, failure),
            Incoming::Closing(code, reason) => match phase {
                Phase::Opening => {
                    let reason = quoted(reason.as_bytes());
                    let failure = Failure::said(FailureKind::Refused { code }, &reason);
                    self.successor_failed(lane, now_us, failure);
                }
                Phase::Open => self.predecessor_closes(now_us, code),
                Phase::Closing(_) => {
                    if let Some(spare) = self.spare.as_mut() {
                        spare.answered = true;
                    }
                }
            },
        }
    }

    /// The frame is about a message that was sent before the change of sockets.
    fn is_of_before(&self, lane: &LaneContext, frame: &ServerFrame<'_>) -> bool {
        let number = match frame {
            ServerFrame::TaskQueued {
                client_message_id: Some(id),
                ..
            } => lane.job().message_number(&self.visit, id),
            ServerFrame::ProcessingStarted { task }
            | ServerFrame::Chunk { task, .. }
            | ServerFrame::Complete { task, .. } => self.ledger.number_of(task.0),
            ServerFrame::Error(error) => {
                let id = error.client_message_id.as_deref();
                id.and_then(|id| lane.job().message_number(&self.visit, id))
            }
            ServerFrame::TaskQueued {
                client_message_id: None,
                ..
            }
            | ServerFrame::Connected
            | ServerFrame::Answer { .. }
            | ServerFrame::Ignored
            | ServerFrame::Message { .. }
            | ServerFrame::Pong
            | ServerFrame::TokenExpiringSoon => None,
        };
        number.is_some_and(|number| self.ledger.is_before_change(number))
    }

    /// The server closes the old socket before the client does.
    fn predecessor_closes(&mut self, now_us: u64, code: u16) {
        let Some(old) = self.spare.as_mut() else {
            return;
        };
        let at_us = now_us;
        old.phase = Phase::Closing(Why::Cut { code, at_us });
        old.deadline_us = now_us + CLOSING_US;
        // Its reply goes out with the next read.
        old.unflushed = true;
        self.stirred = true;
    }

    /// The second socket ended without a close frame.
    fn spare_cut(&mut self, lane: &LaneContext, now_us: u64, ending: Ending) {
        match self.spare.as_ref().map(|spare| spare.phase) {
            None => {}
            Some(Phase::Opening) => {
                let failure = Failure::said(REFUSED, &format!("cut {ending}"));
                self.successor_failed(lane, now_us, failure);
            }
            Some(Phase::Closing(_)) => self.predecessor_gone(lane, now_us, true),
            Some(Phase::Open) => {
                self.spare = None;
                self.old_ended(lane, now_us, ABNORMAL, CloseCause::Cut);
                self.tell_of_end(lane, now_us, FailureKind::Cut(ending).into());
            }
        }
    }

    /// What came on the second socket breaks a rule.
    fn spare_violated(&mut self, lane: &LaneContext, now_us: u64, phase: Phase, failure: Failure) {
        match phase {
            Phase::Opening => self.successor_failed(lane, now_us, failure),
            Phase::Open => {
                let code = failure.kind.close_code();
                self.spare = None;
                self.old_ended(lane, now_us, code, CloseCause::Violation);
                self.tell_of_end(lane, now_us, failure);
            }
            Phase::Closing(_) => {
                lane.recorder().failure(now_us, &failure);
                let answered = self.spare.as_ref().is_some_and(|spare| spare.answered);
                self.predecessor_gone(lane, now_us, answered);
            }
        }
    }

    /// The old socket ended before the client closed it.
    fn old_ended(&mut self, lane: &LaneContext, now_us: u64, code: u16, cause: CloseCause) {
        let mut recorder = lane.recorder();
        recorder.socket_ended(now_us, code, cause);
        drop(recorder);
        self.give_up_old();
    }

    fn successor_failed(&mut self, lane: &LaneContext, now_us: u64, failure: Failure) {
        let idle = self.idle(now_us);
        if let Some(spare) = self.spare.take() {
            lane.opening(-1);
            spare.tell(SessionEnd::Failed {
                failure,
                at_us: now_us,
                retry_after_us: 0,
                idle,
            });
        }
    }

    /// The old socket is closed.
    fn predecessor_gone(&mut self, lane: &LaneContext, now_us: u64, orderly: bool) {
        let Some(old) = self.spare.take() else {
            return;
        };
        let code = match old.phase {
            Phase::Closing(Why::Cut { code, .. }) => code,
            _ if orderly => NORMAL,
            _ => ABNORMAL,
        };
        let mut recorder = lane.recorder();
        recorder.socket_ended(now_us, code, CloseCause::Planned);
        drop(recorder);
        self.give_up_old();
    }

    /// What was asked on the old socket and is still owed is asked again on the new one.
    fn give_up_old(&mut self) {
        self.ledger.forget_old_socket();
        self.stirred = true;
    }
}

impl Link {
    /// `connected` was read.
    pub(super) fn up(&mut self, at_us: u64, now_us: u64, heartbeat_us: u64) {
        self.phase = Phase::Open;
        // Not when the lane got round to reading it: that would be lateness of ours.
        self.ready_us = at_us;
        if heartbeat_us > 0 {
            self.next_ping_us = now_us + heartbeat_us;
        }
    }

    /// Tells the user how it ended, if that is not told already, and wakes its session task.
    pub(super) fn tell(self, end: SessionEnd) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        if let Some(reply) = self.reply {
            answer(reply, end);
        }
    }
}
