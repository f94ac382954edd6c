//! This module adds up what the parts of a load brought, one at a time.
//!
//! **In:** of each part who it is and its last word, or why there is none; in any order. **Out:** an [`AttackOutcome`] as
//! one process would have it, with an account of each part, the same whatever the order.
//!
//! Beside the sum nothing stays of a part that is on another machine but its account, however many there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::message::Done;
use super::peer::Peer;
use crate::load::attack::AttackOutcome;
use crate::plan::{Cut, Plan};
use crate::record::generator::ShardAccount;
use crate::record::histogram::SparseHistogram;

/// Largest step of the wall clock of another machine, as of this one.
const CLOCK_STEP_MAX_US: u64 = 1_000;

/// Who drives a part, as a result names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// From 1.
    pub number: u16,
    /// Most of its clients at once.
    pub clients: u32,
    /// In words: `shard 3 (node-7, pid 12)`.
    pub named: String,
    /// Where it is, if it came to the run by itself.
    pub host: Option<String>,
    /// How far its clock may be from that of the run.
    pub clock_error_us: Option<u64>,
}

impl Member {
    pub(super) fn of(peer: &Peer, cut: Cut, plan: &Plan) -> Self {
        Self {
            number: peer.number(),
            clients: cut.clients(&plan.load),
            named: peer.named(),
            host: peer.host().map(str::to_owned),
            clock_error_us: peer.clock_error_us(),
        }
    }

    fn account(&self, done: &Done) -> ShardAccount {
        ShardAccount {
            number: self.number,
            clients: self.clients,
            host: self.host.clone(),
            clock_error_us: self.clock_error_us,
            start_us: done.usage.start_us,
            start_pause_us: Some(done.usage.start_pause_us).filter(|us| *us > 0),
            cpu_seconds: done.usage.cpu_seconds,
            rss_peak_bytes: done.usage.rss_peak_bytes,
            fds_peak: done.usage.fds_peak,
            actual_sends: Some(done.count.actual_sends),
            frames_received: Some(done.count.frames_received),
            lateness_net: None,
        }
    }
}

/// What came so far.
#[derive(Default)]
pub(super) struct Gathering {
    all: AttackOutcome,
    /// What is to be said of a part, by its number.
    said: BTreeMap<u16, Vec<String>>,
}

impl Gathering {
    /// Adds what a part brought, or why it brought nothing.
    pub(super) fn add(&mut self, member: &Member, brought: Result<Done, String>) {
        let account = brought.as_ref().ok().map(|done| member.account(done));
        let told = brought.and_then(|done| Ok((done.outcome?, done.usage.clock_step_us)));
        let said = self.said.entry(member.number).or_default();
        match told.map(|told| (told, account)) {
            Ok(((outcome, clock_step_us), Some(account))) => {
                if member.host.is_some() && clock_step_us > CLOCK_STEP_MAX_US {
                    said.push(format!(
                        "{}: its wall clock stepped by {} ms, and the kernel dates answers by it",
                        member.named,
                        clock_step_us / 1_000
                    ));
                }
                let sentences = outcome.given_up.iter();
                said.extend(
                    sentences.map(|sentence| format!("shard {}: {sentence}", member.number)),
                );
                self.all.add(outcome, account);
            }
            Ok((_, None)) => {}
            Err(reason) => {
                let sentence = format!("{}: {reason}", member.named);
                tracing::error!("{sentence}");
                said.push(sentence);
                self.all.missing.insert(member.number, reason);
            }
        }
    }

    /// All of it, in the order of the parts.
    pub(super) fn whole(self) -> AttackOutcome {
        let mut all = self.all;
        all.parts.sort_by_key(|(account, _)| account.number);
        all.given_up = self.said.into_values().flatten().collect();
        all
    }
}

impl AttackOutcome {
    /// Adds what another process saw.
    fn add(&mut self, other: Self, account: ShardAccount) {
        let part = if account.host.is_some() {
            // Pauses of its machine are not known here: all of its lateness counts.
            let mut lateness = SparseHistogram::default();
            for part in other.recording.lateness.values() {
                lateness.merge(part);
            }
            let lateness_net = lateness.summary();
            let account = ShardAccount {
                lateness_net,
                ..account
            };
            (account, BTreeMap::new())
        } else {
            (account, other.recording.lateness.clone())
        };
        self.parts.push(part);
        self.recording.merge(other.recording);
        self.goose.merge(other.goose);
    }
}
