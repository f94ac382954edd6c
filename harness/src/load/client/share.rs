//! This module is what a client says and hears in a conversation that it shares with others.
//!
//! **Units:** microseconds since load start.

use super::Client;
use crate::account::quoted;
use crate::client::wire::TaskId;
use crate::failure::{Failure, FailureKind};
use crate::load::lane::LaneContext;
use crate::load::rooms::Hearing;
use crate::record::copies::Unheard;
use crate::record::diary::What;
use crate::record::ledger::Attempt;

impl Client {
    /// Its socket is ready: from now on it hears the others.
    pub(super) fn joins(&self, lane: &LaneContext, at_us: u64) {
        if let Some(rooms) = &lane.job().rooms {
            rooms.joined(self.visit.client, at_us);
        }
    }

    /// Its socket is gone; `orderly`: it was good to its end.
    pub(super) fn leaves(&self, lane: &LaneContext, at_us: u64, orderly: bool) {
        if let Some(rooms) = &lane.job().rooms {
            note(lane, &rooms.left(self.visit.client, at_us, orderly));
        }
    }

    /// It is about to put a message on its socket: others may hear it before it is told that it was written.
    pub(super) fn says(&self, lane: &LaneContext, attempt: Attempt, written_us: u64) {
        if let Some(rooms) = &lane.job().rooms {
            let message = ((self.visit.number, attempt.number), attempt.first);
            let when = (attempt.intended_us, written_us);
            note(lane, &rooms.said(self.visit.client, message, when));
        }
    }

    /// The socket did not take it.
    pub(super) fn has_not_said(&self, lane: &LaneContext, attempt: Attempt) {
        if let Some(rooms) = lane.job().rooms.as_ref().filter(|_| attempt.first) {
            rooms.unsaid(self.visit.client, (self.visit.number, attempt.number));
        }
    }

    /// The server has given its message's answer a name.
    pub(super) fn is_named(&self, lane: &LaneContext, number: u32, task: TaskId) {
        if let Some(rooms) = &lane.job().rooms
            && !self.order.has_counted(task)
        {
            let message = (self.visit.number, number);
            for hearing in rooms.named(self.visit.client, message, task.0) {
                hears(lane, hearing);
            }
        }
    }

    /// Its message was answered.
    pub(super) fn is_answered(&self, lane: &LaneContext, number: u32, at_us: u64) {
        if let Some(rooms) = &lane.job().rooms {
            let message = (self.visit.number, number);
            rooms.answered(self.visit.client, message, at_us);
        }
    }

    /// The end of an answer came that is none of its own.
    pub(super) fn other_task(&self, lane: &LaneContext, task: TaskId, at_us: u64) {
        if let Some(rooms) = &lane.job().rooms {
            let hearing = rooms.heard_task(self.visit.client, task.0, at_us);
            hears(lane, hearing);
        }
    }

    /// An answer came with the id of a message that is not its own.
    pub(super) fn other_answer(&mut self, lane: &LaneContext, id: &str, at_us: u64) {
        let job = lane.job();
        if !job.is_of_run(id) {
            let words = quoted(format!("id {id}").as_bytes());
            let failure = Failure::said(FailureKind::ForeignAnswer, &words);
            lane.recorder().failure(at_us, &failure);
            return;
        }
        let message = job.message_of(id);
        let is_elsewhere = |message| job.has_rooms && !job.is_of_group(&self.visit, message);
        match message {
            Some(message) if is_elsewhere(message) => {
                self.diary.note(at_us, What::Stranger);
                let visit = self.visit;
                let mut recorder = lane.recorder();
                recorder.unexpected(at_us, || job.author(&visit, None, &self.diary));
            }
            Some(message) => {
                lane.heard_other();
                if let Some(rooms) = &job.rooms {
                    let hearing = rooms.heard(self.visit.client, message, at_us);
                    hears(lane, hearing);
                }
            }
            None => lane.heard_other(),
        }
    }
}

fn hears(lane: &LaneContext, hearing: Hearing) {
    match hearing {
        Hearing::Copy(copy) => lane.recorder().copied(copy),
        Hearing::Again(message, at_us) => {
            let mut recorder = lane.recorder();
            recorder.repeated(at_us, || lane.job().writer(message));
        }
        Hearing::Passed => {}
    }
}

fn note(lane: &LaneContext, unheard: &[Unheard]) {
    if unheard.is_empty() {
        return;
    }
    let mut recorder = lane.recorder();
    for unheard in unheard {
        recorder.unheard(unheard, || lane.job().writer(unheard.message));
    }
}
