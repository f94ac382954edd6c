//! This module is what a client does with messages of its socket, as its server speaks: those of a mapped server stand for
//! frames of the contract, are answered by a rule, or belong to the opening.
//!
//! **Units:** microseconds since load start.

use std::borrow::Cow;

use super::mapped::Mapped;
use super::{Client, End, Phase};
use crate::client::frame::{FRAMES_MAX, Seen, frames};
use crate::client::opening::{Met, Ruled, reply};
use crate::client::template::{self, Held};
use crate::client::wire::{FrameError, ServerFrame};
use crate::client::{dialect, flat};
use crate::failure::{Failure, FailureKind};
use crate::load::lane::LaneContext;
use crate::plan::{Dialect, Matching};

impl Client {
    /// What its socket holds.
    pub(super) fn held(&self) -> Option<&Held> {
        let mapped = self.link.as_ref()?.mapped.as_ref()?;
        Some(&mapped.held)
    }

    /// Tells what is said or heard, without what is secret.
    pub(super) fn trace(&self, lane: &LaneContext, at_us: u64, way: &str, text: &str) {
        let trace = &lane.job().trace;
        trace.tell(at_us, || {
            format!("{way} {}", template::shown(self.held(), text))
        });
    }

    /// The step that its socket is at, in words; `None`: it is ready, or waits for `connected`.
    pub(super) fn opening_word(&self, lane: &LaneContext) -> Option<String> {
        let dialect = lane.job().target.dialect.as_deref()?;
        let mapped = self.link.as_ref()?.mapped.as_ref()?;
        Some(mapped.opening.as_ref()?.word(dialect))
    }

    /// Why a socket that did not get ready in time did not.
    pub(super) fn not_ready(&self, lane: &LaneContext) -> Failure {
        /// What is added to a socket that did not get ready.
        const UNFINISHED: &str = "the beginning of a message came, and not its end";
        let unfinished = self.is_unfinished();
        let mapped = self.link.as_ref().and_then(|link| link.mapped.as_ref());
        let opening = mapped.and_then(|mapped| mapped.opening.as_ref());
        if let (Some(opening), Some(dialect)) = (opening, lane.job().target.dialect.as_deref()) {
            return opening.unanswered(dialect, unfinished);
        }
        let words = if unfinished { UNFINISHED } else { "" };
        Failure::said(FailureKind::NotReady, words)
    }

    /// Says what the steps say, up to the next one that waits; after the last the socket is ready, since `at_us`.
    pub(super) fn go_on(&mut self, lane: &LaneContext, dialect: &Dialect, at_us: u64) {
        let (job, visit) = (lane.job(), self.visit);
        for nth in 0.. {
            let Some(link) = self.link.as_mut() else {
                return;
            };
            let generation = link.generation;
            let Some(mapped) = link.mapped.as_mut() else {
                return;
            };
            let Mapped {
                held,
                opening,
                ready_by_us,
            } = &mut **mapped;
            let Some(under_way) = opening.as_mut() else {
                return;
            };
            let Some(step) = under_way.step(dialect) else {
                *opening = None;
                self.connected(lane, at_us);
                return;
            };
            let id = job.opening_id(&visit, generation, nth);
            let said = job.with_places(&visit, Some(held), |places| {
                under_way.says(dialect, &id, places)
            });
            let now_us = job.clock.now_us();
            if step.awaited.is_some() {
                link.deadline_us = (now_us + step.within_us).min(*ready_by_us);
            } else {
                under_way.pass();
            }
            if let Some(said) = said
                && !self.say(lane, said)
            {
                return;
            }
            if step.awaited.is_some() {
                self.stirred = true;
                return;
            }
        }
    }

    /// Takes a text that comes before the socket is ready. `false`: there is no opening under way.
    fn opens(&mut self, lane: &LaneContext, dialect: &Dialect, text: &str, at_us: u64) -> bool {
        let (job, visit) = (lane.job(), self.visit);
        let mapped = self.link.as_mut().and_then(|link| link.mapped.as_mut());
        let Some(Mapped { held, opening, .. }) = mapped.map(|mapped| &mut **mapped) else {
            return false;
        };
        let Some(opening) = opening.as_mut() else {
            return false;
        };
        let heard = job.with_places(&visit, Some(held), |places| {
            opening.hear(dialect, text, places)
        });
        held.captured.extend(heard.captured);
        self.trace(lane, at_us, "<-", text);
        match heard.met {
            Met::Passed => {}
            Met::Answered(answer) => {
                self.say(lane, answer);
            }
            Met::Done => self.go_on(lane, dialect, at_us),
            Met::Failed(failure) => self.end(lane, at_us, End::Failed(failure)),
        }
        true
    }

    /// Answers a frame that a rule is about. `false`: none is.
    fn replies(&mut self, lane: &LaneContext, dialect: &Dialect, seen: &Seen<'_>) -> bool {
        let job = lane.job();
        let answer = job.with_places(&self.visit, self.held(), |places| {
            reply(dialect, seen, places)
        });
        let closing = |phase| matches!(phase, Phase::Closing(_));
        let is_closing = self.link.as_ref().is_some_and(|link| closing(link.phase));
        match answer {
            Some(Ruled::Answered(answer)) if !is_closing => {
                self.say(lane, answer);
                true
            }
            Some(Ruled::Answered(_) | Ruled::Passed) => true,
            None => false,
        }
    }

    /// Puts a text on the socket that is no message. `false`: the socket is gone.
    fn say(&mut self, lane: &LaneContext, text: String) -> bool {
        let now_us = lane.job().clock.now_us();
        self.trace(lane, now_us, "->", &text);
        let Some(link) = self.link.as_mut() else {
            return false;
        };
        link.heard_us = now_us;
        match link.socket.send(text) {
            Ok(true) => true,
            Ok(false) => {
                link.unflushed = true;
                self.wake();
                true
            }
            Err(error) => {
                self.cut_off(lane, now_us, error.ending());
                false
            }
        }
    }

    /// A binary message that is no text: an answer where every message is one.
    pub(super) fn binary(&mut self, lane: &LaneContext, bytes: usize, at_us: u64) {
        let trace = &lane.job().trace;
        trace.tell(at_us, || format!("<- {bytes} bytes that are no text"));
        let dialect = lane.job().target.dialect.as_deref();
        match dialect.filter(|_| dialect::is_any_answer(dialect)) {
            Some(dialect) => {
                let answer = ServerFrame::Answer { id: None };
                for frame in self.order.named(dialect.matching, answer) {
                    self.frame(lane, Ok(frame), at_us);
                }
            }
            None => {
                self.frame(lane, Err(FrameError::Binary { bytes }), at_us);
            }
        }
    }

    pub(super) fn text(&mut self, lane: &LaneContext, text: &str, at_us: u64) {
        let Some(dialect) = lane.job().target.dialect.as_deref() else {
            lane.job().trace.tell(at_us, || format!("<- {text}"));
            self.frame(lane, ServerFrame::parse(text), at_us);
            return;
        };
        let socket = self.link.as_ref().map(|link| link.generation);
        for (nth, frame) in frames(dialect, text).enumerate() {
            if self.link.as_ref().map(|link| link.generation) != socket {
                // What one of them said ended it.
                return;
            }
            if nth == FRAMES_MAX {
                let error = FrameError::TooMany { limit: FRAMES_MAX };
                self.frame(lane, Err(error), at_us);
                return;
            }
            self.mapped_frame(lane, dialect, frame, at_us);
        }
    }

    /// A whole answer in one frame. One that came again is one event, though it stands for several.
    fn answer(
        &mut self,
        lane: &LaneContext,
        dialect: &Dialect,
        id: Option<Cow<'_, str>>,
        at_us: u64,
    ) {
        let answer = ServerFrame::Answer { id };
        for frame in self.order.named(dialect.matching, answer) {
            if self.frame(lane, Ok(frame), at_us) {
                break;
            }
        }
    }

    /// A frame of a mapped server.
    fn mapped_frame(&mut self, lane: &LaneContext, dialect: &Dialect, text: &str, at_us: u64) {
        if self.opens(lane, dialect, text, at_us) {
            return;
        }
        self.trace(lane, at_us, "<-", text);
        let short = lane.job().is_flat.then(|| flat::read(dialect, text));
        let frame = if let Some(frame) = short.flatten() {
            Ok(frame)
        } else {
            let seen = Seen::new(text);
            if !dialect.reply.is_empty() && self.replies(lane, dialect, &seen) {
                return;
            }
            dialect::read_seen(dialect, seen)
        };
        match frame {
            Ok(ServerFrame::Answer { id: Some(id) }) => {
                match lane.job().message_number(&self.visit, &id) {
                    None => self.other_answer(lane, &id, at_us),
                    Some(number) if self.ledger.is_history(number) => {}
                    Some(_) => self.answer(lane, dialect, Some(id), at_us),
                }
            }
            Ok(ServerFrame::Answer { id: None }) if dialect.matching == Matching::Id => {
                let words = format!("an answer without the field `{}`", dialect.fields.id);
                let failure = Failure::said(FailureKind::BadFrame, &words);
                lane.recorder().failure(at_us, &failure);
            }
            Ok(ServerFrame::Answer { id: None }) => self.answer(lane, dialect, None, at_us),
            Ok(frame) => {
                for frame in self.order.named(dialect.matching, frame) {
                    self.frame(lane, Ok(frame), at_us);
                }
                for _ in 0..self.order.take_given_up() {
                    let failure = FailureKind::NotEnded.into();
                    lane.recorder().failure(at_us, &failure);
                }
            }
            Err(error) => {
                self.frame(lane, Err(error), at_us);
            }
        }
    }
}
