//! This module is what a client does with what its socket brings.
//!
//! **Units:** microseconds since load start.

use std::task::{Context, Poll};

use super::{Client, Link, Phase};
use crate::account::quoted;
use crate::client::socket::Incoming;
use crate::client::wire::{ErrorFrame, FrameError, ServerFrame, TaskId, UNNUMBERED};
use crate::clock::monotonic_ns;
use crate::failure::{Failure, FailureKind};
use crate::load::job::retry_us;
use crate::load::lane::LaneContext;
use crate::record::diary::What;
use crate::record::ledger::{Finding, Refusal};
use crate::record::recorder::Span;
use crate::stage::Stage;

/// Frames of one client before others have their turn.
pub(super) const FRAMES_PER_TURN: usize = 64;

impl Client {
    /// Reads what is there. Ready when the socket of that generation is gone.
    pub(in crate::load) fn read(
        &mut self,
        lane: &LaneContext,
        generation: u32,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if holds(self.spare.as_deref(), generation) {
            self.read_spare(lane, generation, cx);
            return self.until_gone(generation);
        }
        // One look at the clock serves all frames of a batch; what they are timed by is their stamp.
        let now_ns = monotonic_ns();
        let now_us = lane.job().clock.at_us(now_ns);
        for frames in 0.. {
            let Some(link) = self.link.as_mut() else {
                return Poll::Ready(());
            };
            if link.generation != generation {
                return Poll::Ready(());
            }
            if link
                .waker
                .as_ref()
                .is_none_or(|old| !old.will_wake(cx.waker()))
            {
                link.waker = Some(cx.waker().clone());
            }
            if link.unflushed {
                match link.socket.poll_flush(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => link.unflushed = false,
                    Poll::Ready(Err(error)) => {
                        self.cut_off(lane, now_us, error.ending());
                        return Poll::Ready(());
                    }
                }
            }
            if frames == FRAMES_PER_TURN {
                link.socket.look_again();
                cx.waker().wake_by_ref();
                break;
            }
            match link.socket.poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(incoming) => self.incoming(lane, incoming, now_ns),
            }
        }
        if std::mem::take(&mut self.stirred) || self.departing(lane, now_us) {
            self.turn(lane, now_us);
        }
        self.until_gone(generation)
    }

    /// Ready when the socket of that generation is gone.
    fn until_gone(&self, generation: u32) -> Poll<()> {
        if [&self.link, &self.spare]
            .iter()
            .any(|link| holds(link.as_deref(), generation))
        {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn incoming(&mut self, lane: &LaneContext, incoming: Incoming, now_ns: u64) {
        let now_us = lane.job().clock.at_us(now_ns);
        if let (Some(link), Incoming::Text(..) | Incoming::Binary(..) | Incoming::Other) =
            (&mut self.link, &incoming)
        {
            link.heard_us = now_us;
            link.heard += u64::from(!matches!(incoming, Incoming::Other));
        }
        match incoming {
            Incoming::Text(text, stamp_ns) => {
                let link = self.link.as_ref();
                let open = link.is_some_and(|link| link.phase != Phase::Opening);
                let at_us = lane.received(stamp_ns, now_ns, open);
                self.text(lane, &text, at_us);
            }
            Incoming::Binary(bytes, stamp_ns) => {
                let link = self.link.as_ref();
                let open = link.is_some_and(|link| link.phase != Phase::Opening);
                let at_us = lane.received(stamp_ns, now_ns, open);
                self.binary(lane, bytes, at_us);
            }
            Incoming::Other => lane.received_other(),
            Incoming::Ended(ending) => self.cut_off(lane, now_us, ending),
            Incoming::Closing(code, reason) => self.server_closes(lane, now_us, code, &reason),
            Incoming::Violated(failure) => self.violated(lane, now_us, failure),
        }
    }

    /// Acts on a frame. `true`: it says again what was said of a message that has its end.
    pub(super) fn frame(
        &mut self,
        lane: &LaneContext,
        frame: Result<ServerFrame<'_>, FrameError>,
        at_us: u64,
    ) -> bool {
        let visit = self.visit;
        let number = |id: &str| lane.job().message_number(&visit, id);
        if let Ok(frame) = &frame {
            self.write_down(frame, at_us);
        }
        let finding = match frame {
            Ok(ServerFrame::TaskQueued {
                task,
                client_message_id: Some(id),
            }) => match number(&id) {
                Some(number) => self.queued(lane, Some(number), task, at_us),
                None => Finding::Unexpected,
            },
            Ok(ServerFrame::TaskQueued { task, .. }) => self.queued(lane, None, task, at_us),
            Ok(ServerFrame::ProcessingStarted { task }) => {
                lane.of_answer(self.ledger.processing(task.0))
            }
            Ok(ServerFrame::Chunk { task, seq }) => {
                lane.of_answer(self.ledger.chunk(task.0, seq, at_us))
            }
            Ok(ServerFrame::Complete { task, chunks }) => {
                let finding = self.ledger.complete(task.0, chunks, at_us);
                if matches!(finding, Finding::Unexpected) {
                    self.other_task(lane, task, at_us);
                }
                lane.of_answer(finding)
            }
            Ok(ServerFrame::Connected) => self.connected(lane, at_us),
            Ok(ServerFrame::Pong) => self.pong(lane, at_us),
            Ok(ServerFrame::TokenExpiringSoon) => {
                if let Some(link) = self.link.as_mut() {
                    link.renew_us = link.renew_us.min(at_us);
                    self.stirred = true;
                }
                Finding::Fine
            }
            Ok(ServerFrame::Error(error)) => self.error(lane, error, at_us),
            // Of other servers, and told apart before.
            Ok(ServerFrame::Answer { .. } | ServerFrame::Ignored) => Finding::Fine,
            Ok(ServerFrame::Message { .. }) => Finding::Unexpected,
            Err(error) => {
                let words = quoted(error.to_string().as_bytes());
                let failure = Failure::said(FailureKind::BadFrame, &words);
                lane.recorder().failure(at_us, &failure);
                Finding::Unexpected
            }
        };
        let repeated = matches!(finding, Finding::Duplicated { .. });
        self.found(lane, finding, at_us);
        repeated
    }

    fn queued(
        &mut self,
        lane: &LaneContext,
        number: Option<u32>,
        task: TaskId,
        at_us: u64,
    ) -> Finding {
        let finding = self.ledger.queued(number, task.0, at_us);
        if let Some(message) = self.ledger.number_of(task.0) {
            self.diary.note(at_us, What::Queued { message });
            self.is_named(lane, message, task);
        }
        finding
    }

    /// Into the diary, as far as it is about messages; the rest is written down where it is acted on.
    fn write_down(&mut self, frame: &ServerFrame<'_>, at_us: u64) {
        let number = |task: TaskId| self.ledger.number_of(task.0);
        let what = match *frame {
            ServerFrame::Chunk { task, seq } if seq != UNNUMBERED => {
                number(task).map(|message| What::chunk(message, seq))
            }
            ServerFrame::Complete { task, .. } => {
                number(task).map(|message| What::Complete { message })
            }
            ServerFrame::Connected => Some(What::Connected),
            ServerFrame::Pong => Some(What::Pong),
            // A chunk without a number is told by its message alone.
            ServerFrame::Chunk { .. }
            | ServerFrame::TaskQueued { .. }
            | ServerFrame::ProcessingStarted { .. }
            | ServerFrame::Answer { .. }
            | ServerFrame::Ignored
            | ServerFrame::Message { .. }
            | ServerFrame::TokenExpiringSoon
            | ServerFrame::Error(_) => None,
        };
        if let Some(what) = what {
            self.diary.note(at_us, what);
        }
    }

    fn found(&mut self, lane: &LaneContext, finding: Finding, at_us: u64) {
        let (job, visit) = (lane.job(), self.visit);
        let mut recorder = lane.recorder();
        match finding {
            Finding::Fine => {}
            Finding::Queued { service_us } => recorder.service(Stage::TaskQueued, service_us),
            Finding::FirstChunk { service_us } => recorder.service(Stage::FirstChunk, service_us),
            Finding::Done {
                settled,
                service_us,
            } => {
                recorder.service(Stage::Complete, service_us);
                drop(recorder);
                self.is_answered(lane, settled.number, at_us);
                let mut recorder = lane.recorder();
                recorder.settle(&settled, || {
                    job.author(&visit, Some(settled.number), &self.diary)
                });
                self.diary.settled(settled.number);
                self.stirred |= self.conduct.answered(at_us);
            }
            // Copies of what another socket brought, of tasks that are not remembered any more.
            Finding::Unexpected if at_us < self.copies_us => {}
            Finding::Duplicated { number } => {
                recorder.repeated(at_us, || job.author(&visit, Some(number), &self.diary));
            }
            Finding::Unexpected => {
                self.diary.note(at_us, What::Stranger);
                recorder.unexpected(at_us, || job.author(&visit, None, &self.diary));
            }
        }
    }

    pub(super) fn connected(&mut self, lane: &LaneContext, at_us: u64) -> Finding {
        let now_us = lane.job().clock.now_us();
        let heartbeat_us = lane.job().load.heartbeat_us;
        let Some(link) = self.link.as_mut().filter(|l| l.phase == Phase::Opening) else {
            return Finding::Unexpected;
        };
        link.up(at_us, now_us, heartbeat_us);
        lane.opening(-1);
        let begun_us = link.begun_us;
        let (stage, intended_us) = match self.cut_us.take() {
            Some(cut_us) => (Stage::Reconnect, cut_us),
            None => (Stage::SessionReady, self.missing_us),
        };
        if stage == Stage::Reconnect {
            lane.reconnecting(-1);
        }
        let span = Span {
            intended_us,
            begun_us,
            end_us: at_us,
        };
        let mut recorder = lane.recorder();
        recorder.session_stage(stage, span);
        recorder.session(at_us).opened += 1;
        recorder.counters().socket_opened();
        drop(recorder);
        self.joins(lane, at_us);
        self.conduct.opened(now_us);
        self.ledger.new_socket();
        self.order.new_socket();
        self.stirred = true;
        Finding::Fine
    }

    fn pong(&mut self, lane: &LaneContext, at_us: u64) -> Finding {
        let ping = self.link.as_mut().and_then(|link| link.ping.take());
        let Some((intended_us, begun_us)) = ping else {
            return Finding::Unexpected;
        };
        let span = Span {
            intended_us,
            begun_us,
            end_us: at_us,
        };
        let mut recorder = lane.recorder();
        recorder.session_stage(Stage::Heartbeat, span);
        Finding::Fine
    }

    fn error(&mut self, lane: &LaneContext, error: ErrorFrame<'_>, at_us: u64) -> Finding {
        let (job, visit) = (lane.job(), self.visit);
        let words = error.text.as_deref().unwrap_or_default();
        let code = quoted(error.code.as_bytes());
        let failure = Failure::event(&code, &quoted(words.as_bytes()));
        lane.recorder().failure(at_us, &failure);
        self.diary.note(at_us, What::Refused(Box::new(failure)));
        let number = match error.client_message_id.as_deref() {
            Some(id) => match job.message_number(&visit, id) {
                Some(number) => Some(number),
                None => return Finding::Unexpected,
            },
            None => None,
        };
        let lost = error.task.filter(|_| &*error.code == "lost");
        let refusal = match lost {
            Some(task) => self.ledger.told_lost(task.0, at_us),
            None if error.is_passing() => {
                let asked_us = error.retry_after_us.unwrap_or(0);
                let jitter = &mut self.retry_jitter;
                let plan = &job.load.reconnect;
                let wait_us = |nth| retry_us(plan, nth, asked_us, jitter);
                self.ledger.refused(number, at_us, wait_us)
            }
            None => self.ledger.refused_for_good(number, at_us),
        };
        match refusal {
            Refusal::Again { .. } => {
                self.stirred = true;
                lane.unavailable();
            }
            Refusal::Ended(end) => {
                let mut recorder = lane.recorder();
                recorder.settle(&end, || job.author(&visit, Some(end.number), &self.diary));
                self.diary.settled(end.number);
                self.stirred |= self.conduct.answered(at_us);
            }
            Refusal::Moot => {}
            Refusal::Unexpected if lost.is_some() => return lane.of_answer(Finding::Unexpected),
            Refusal::Unexpected => return Finding::Unexpected,
        }
        Finding::Fine
    }
}

fn holds(link: Option<&Link>, generation: u32) -> bool {
    link.is_some_and(|link| link.generation == generation)
}
