//! This module records what other members of a conversation heard of a message: copies that came, and copies that never did.
//!
//! **Units:** microseconds since load start.

use std::sync::atomic::Ordering;

use super::recorder::{Author, Recorder};
use super::recording::MessageExample;
use super::subject::Subject;
use crate::scenario::expectation::Outcome;
use crate::stage::Stage;

/// Clients without a copy that an example names.
const CLIENTS_NAMED: usize = 5;

/// A copy of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    pub intended_us: u64,
    pub said_us: u64,
    pub at_us: u64,
}

/// Copies of a message that never came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unheard {
    /// Its stay, and its place among what that stay says.
    pub message: (u32, u32),
    pub intended_us: u64,
    pub said_us: u64,
    /// Until when it was waited for.
    pub until_us: u64,
    /// Those that did not hear it; at least one.
    pub clients: Vec<u32>,
    /// Members that should have.
    pub owed: u32,
}

impl Unheard {
    /// By whom.
    fn words(&self) -> String {
        let named = self.clients.iter().take(CLIENTS_NAMED);
        let named: Vec<String> = named.map(u32::to_string).collect();
        let more = if self.clients.len() > CLIENTS_NAMED {
            ", …"
        } else {
            ""
        };
        let (missing, owed) = (self.clients.len(), self.owed);
        let named = named.join(", ");
        format!("by {missing} of {owed} others, clients {named}{more}")
    }
}

impl Recorder {
    /// A member of a conversation heard a message of another.
    pub(crate) fn copied(&mut self, copy: Copied) {
        let response_us = copy.at_us.saturating_sub(copy.intended_us);
        let service_us = copy.at_us.saturating_sub(copy.said_us);
        let key = self.key(copy.intended_us, copy.at_us);
        let cell = self.recording_mut().cells.entry(key).or_default();
        cell.delivery.copies += 1;
        cell.fan_out.record(response_us);
        self.service(Stage::FanOut, service_us);
        self.recent(Stage::FanOut, key.fault.is_some(), response_us);
    }

    /// Members of a conversation never heard a message that was taken.
    pub(crate) fn unheard(&mut self, unheard: &Unheard, author: impl Fn() -> Author) {
        let key = self.key(unheard.intended_us, unheard.until_us);
        let members = unheard.clients.len() as u64;
        let recording = self.recording_mut();
        let delivery = &mut recording.cells.entry(key).or_default().delivery;
        delivery.copies += members;
        delivery.unheard += members;
        let counter = &self.counters().unheard;
        counter.fetch_add(members, Ordering::Relaxed);
        let recording = self.recording_mut();
        if !recording.has_room(unheard.intended_us) {
            recording.examples_dropped += 1;
            return;
        }
        let detail = unheard.words();
        let what = Subject::Promise(Outcome::Unheard).told(&detail);
        let author = author();
        recording.example(MessageExample {
            client: author.client,
            client_message_id: author.client_message_id,
            message: author.message,
            conversation: author.conversation,
            what,
            intended_us: unheard.intended_us,
            sent_us: Some(unheard.said_us),
            queued_us: None,
            ended_us: None,
            fault: key.fault,
            steps: author.steps,
        });
    }
}
