//! This module is how a client's own socket ends other than by its own wish: cut, closed by the server, or closed
//! because of what came on it.
//!
//! **Units:** microseconds since load start.

use super::{Client, End, Phase, Why};
use crate::account::quoted;
use crate::failure::{ABNORMAL, Ending, Failure, FailureKind};
use crate::load::lane::LaneContext;
use crate::record::diary::What;
use crate::record::recorder::Span;
use crate::stage::Stage;

/// A socket that was cut before it was ready.
pub(super) const REFUSED: FailureKind = FailureKind::Refused { code: ABNORMAL };

impl Client {
    /// The socket broke.
    pub(super) fn cut_off(&mut self, lane: &LaneContext, now_us: u64, ending: Ending) {
        let trace = &lane.job().trace;
        trace.tell(now_us, || format!("the connection is gone: cut {ending}"));
        let phase = self.link.as_ref().map(|link| link.phase);
        match phase {
            None => {}
            Some(Phase::Opening) => {
                let words = self.at_step(lane, &format!("cut {ending}"));
                let failure = Failure::said(REFUSED, &words);
                self.end(lane, now_us, End::Failed(failure));
            }
            Some(Phase::Open) => {
                let silent_us = self.link.as_ref().map_or(now_us, |link| link.heard_us);
                let silence = Span {
                    intended_us: silent_us,
                    begun_us: silent_us,
                    end_us: now_us,
                };
                lane.recorder().session_stage(Stage::Silence, silence);
                self.tell_of_end(lane, now_us, FailureKind::Cut(ending).into());
                self.end(
                    lane,
                    now_us,
                    End::Cut {
                        code: ABNORMAL,
                        at_us: now_us,
                    },
                );
            }
            Some(Phase::Closing(why)) => self.closed(lane, now_us, why, true),
        }
    }

    /// A close frame of the server, first or as an answer.
    pub(super) fn server_closes(
        &mut self,
        lane: &LaneContext,
        now_us: u64,
        code: u16,
        reason: &str,
    ) {
        let trace = &lane.job().trace;
        trace.tell(now_us, || format!("<- close {code} {reason}"));
        let Some(link) = self.link.as_mut() else {
            return;
        };
        match link.phase {
            Phase::Opening => {
                let reason = self.at_step(lane, &quoted(reason.as_bytes()));
                let failure = Failure::said(FailureKind::Refused { code }, &reason);
                self.end(lane, now_us, End::Failed(failure));
            }
            Phase::Open => {
                let reason = quoted(reason.as_bytes());
                let failure = Failure::said(FailureKind::Closed { code }, &reason);
                self.tell_of_end(lane, now_us, failure);
                // The reply goes out with the next read; then the server ends TCP.
                let at_us = now_us;
                self.begin_close(lane, now_us, Why::Cut { code, at_us });
            }
            Phase::Closing(_) => link.answered = true,
        }
    }

    /// Words about the end of a socket that was not ready, with the step at which it was.
    fn at_step(&self, lane: &LaneContext, words: &str) -> String {
        match (self.opening_word(lane), words) {
            (None, words) => words.to_owned(),
            (Some(step), "") => format!("at {step}"),
            (Some(step), words) => format!("{words}, at {step}"),
        }
    }

    /// What came breaks a rule: the close frame that says so is on its way.
    pub(super) fn violated(&mut self, lane: &LaneContext, now_us: u64, failure: Failure) {
        let trace = &lane.job().trace;
        trace.tell(now_us, || format!("-> close: {}", failure.text()));
        match self.link.as_ref().map(|link| link.phase) {
            Some(Phase::Opening) => self.end(lane, now_us, End::Failed(failure)),
            Some(Phase::Open) => {
                let code = failure.kind.close_code();
                self.tell_of_end(lane, now_us, failure);
                let at_us = now_us;
                self.begin_close(lane, now_us, Why::Violated { code, at_us });
            }
            Some(Phase::Closing(why)) => {
                // Nothing that follows is read: there is nothing to wait for.
                lane.recorder().failure(now_us, &failure);
                let answered = self.link.as_ref().is_some_and(|link| link.answered);
                self.closed(lane, now_us, why, answered);
            }
            None => {}
        }
    }

    /// The server or the network ended an open socket, or broke a rule on it: into the books, while it is known why.
    pub(super) fn tell_of_end(&mut self, lane: &LaneContext, now_us: u64, failure: Failure) {
        let text = failure.text();
        lane.recorder().failure(now_us, &failure);
        let failure = Box::new(failure);
        let ended = matches!(
            failure.kind,
            FailureKind::Closed { .. } | FailureKind::Cut(_)
        );
        let what = if ended { What::Ended } else { What::Violated }(failure);
        self.diary.note(now_us, what);
        let (job, visit) = (lane.job(), self.visit);
        let mut recorder = lane.recorder();
        recorder.cut(now_us, &text, || job.author(&visit, None, &self.diary));
    }
}
