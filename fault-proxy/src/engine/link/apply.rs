//! Toxics that come, change and go under a connection.
//!
//! **In:** the toxics now in force. **Out:** the stages in line with them; nothing held is lost, but by
//! a toxic whose removal ends the stream.

use super::{Cause, Link, Output};
use crate::{
    engine::stage::{Identity, Stage},
    toxic::{Removal, Toxic},
};
use std::sync::Arc;
use tokio::time::Instant;

impl Link {
    /// Brings the stages in line with the toxics now in force. Nothing held is lost.
    pub(in crate::engine) fn apply(&mut self, toxics: &[Arc<Toxic>], identity: &Identity) {
        if toxics.is_empty() && self.stages.is_empty() || self.is_finished() {
            return;
        }
        let now = Instant::now();
        self.update(toxics, now);
        // Both are in the order of creation.
        let met = toxics.partition_point(|toxic| toxic.id <= self.newest_toxic);
        for toxic in &toxics[met..] {
            self.newest_toxic = toxic.id;
            if self.output == Output::Open {
                self.append(Stage::new(toxic, identity, now), now);
            }
        }
    }

    /// Changes and takes out stages. There may be a thousand, of a thousand connections: those that
    /// stay as they are are not looked into.
    fn update(&mut self, toxics: &[Arc<Toxic>], now: Instant) {
        let first = self.stages.first().map_or(u64::MAX, Stage::id);
        let from = toxics.partition_point(|toxic| toxic.id < first);
        let mut toxics = toxics[from..].iter().peekable();
        let mut index = 0;
        while let Some(stage) = self.stages.get_mut(index) {
            let id = stage.id_unless(toxics.peek().copied());
            let Some(id) = id else {
                toxics.next();
                index += 1;
                continue;
            };
            while toxics.next_if(|toxic| toxic.id < id).is_some() {}
            let kept = toxics.next_if(|toxic| toxic.id == id);
            let leaves_nothing = kept.is_none() && stage.is_empty();
            let removal = match kept {
                Some(toxic) => stage.update(toxic, now),
                None => stage.removal(),
            };
            if !leaves_nothing {
                self.stir();
            }
            match (kept, removal) {
                (Some(_), Removal::Flush | Removal::Close) => index += 1,
                (None, Removal::Flush) => self.flush_stage(index),
                (_, Removal::Reset) => {
                    self.resets = true;
                    self.end_stage(index);
                    index = 0;
                }
                (None, Removal::Close) => {
                    self.end_stage(index);
                    index = 0;
                }
            }
        }
    }

    /// Only the new stage has anything to do, unless the one before it has waited for room.
    fn append(&mut self, stage: Stage, now: Instant) {
        let waits = |last: &Stage| last.own.passed.is_some();
        let stirred = !self.settled || self.stages.last().is_some_and(waits);
        self.stages.push(stage);
        if stirred || self.move_through(self.stages.len() - 1, now) {
            self.stir();
        }
    }

    /// The stream ends at this stage: it and those before it are gone with what they held.
    pub(super) fn end_stage(&mut self, index: usize) {
        self.cause.get_or_insert(Cause::Toxic);
        self.stages.drain(..=index);
        self.end_input();
    }

    /// Takes a stage out; what it held goes to the next one, whose turn in the order it is.
    fn flush_stage(&mut self, index: usize) {
        let mut stage = self.stages.remove(index);
        if let Some(chunk) = stage.own.passed.take() {
            self.place(index, chunk);
        }
        while let Some(chunk) = stage.own.inbox.pop() {
            self.place(index, chunk);
        }
        if stage.own.inbox.is_ended() {
            match self.stages.get_mut(index) {
                Some(next) => next.own.inbox.end(),
                None => self.end_output(),
            }
        }
    }
}
