//! This module keeps what the steps of an examination found.
//!
//! **In:** steps, as they are done. **Out:** a [`Report`].

use reqwest::Url;
use serde::Serialize;

use crate::clock::monotonic_ns;
use crate::format;
use crate::known::Known;

/// What is looked at, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Dns,
    Tcp,
    Tls,
    Http,
    Upgrade,
    Refusal,
    Health,
    Login,
    Token,
    Connected,
    Heartbeat,
    Message,
    Idle,
}

const STEPS: [Step; 13] = [
    Step::Dns,
    Step::Tcp,
    Step::Tls,
    Step::Http,
    Step::Upgrade,
    Step::Refusal,
    Step::Health,
    Step::Login,
    Step::Token,
    Step::Connected,
    Step::Heartbeat,
    Step::Message,
    Step::Idle,
];

impl Step {
    /// As people call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Upgrade => "upgrade",
            Self::Refusal => "refusal",
            Self::Health => "health",
            Self::Login => "login",
            Self::Token => "token",
            Self::Connected => "first event",
            Self::Heartbeat => "heartbeat",
            Self::Message => "message",
            Self::Idle => "idle",
        }
    }
}

/// Why a step failed.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What was seen, one clause.
    fact: String,
    known: Option<Known>,
    /// What it is if a later step shows that nothing else can be.
    suspected: Option<Known>,
    /// Nothing that comes after it makes sense.
    last: bool,
    cure: String,
}

impl Trouble {
    pub(super) fn new(fact: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            fact: fact.into(),
            known: None,
            suspected: None,
            last: false,
            cure: cure.into(),
        }
    }

    /// The same with another cure.
    pub(super) fn cured_by(self, cure: &str) -> Self {
        Self {
            cure: cure.to_owned(),
            ..self
        }
    }

    /// What it may be; named where a later step shows it.
    pub(super) fn suspected(self, known: Known) -> Self {
        Self {
            suspected: Some(known),
            ..self
        }
    }

    /// Ends the examination.
    pub(super) fn last(self) -> Self {
        Self { last: true, ..self }
    }

    /// What it is, beyond doubt.
    pub(super) fn known(self, known: Known) -> Self {
        Self {
            known: Some(known),
            ..self
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Ok,
    Failed,
    Skipped,
}

/// A step and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub step: Step,
    pub outcome: Outcome,
    /// How long it took; 0 where it was skipped.
    pub us: u64,
    /// What was seen, or why it was not tried. Safe to print.
    pub fact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// A row of the contract's table.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub row: u8,
    pub name: &'static str,
}

impl Failure {
    fn of(known: Known) -> Self {
        Self {
            row: known.row(),
            name: known.name(),
        }
    }
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Chart {
    entries: Vec<Entry>,
    /// Places of entries, and what they may be.
    suspected: Vec<(usize, Known)>,
    over: bool,
}

impl Chart {
    /// Does a step, which says what it saw and finds something for the next ones.
    pub(super) async fn step<T>(
        &mut self,
        step: Step,
        doing: impl Future<Output = Result<(String, T), Trouble>>,
    ) -> Option<T> {
        let begun_ns = monotonic_ns();
        let done = doing.await;
        let us = (monotonic_ns() - begun_ns) / 1_000;
        match done {
            Ok((fact, found)) => {
                self.add((step, us), Outcome::Ok, &fact);
                Some(found)
            }
            Err(trouble) => {
                self.over |= trouble.last;
                let place = self.entries.len();
                self.suspected
                    .extend(trouble.suspected.map(|known| (place, known)));
                let entry = self.add((step, us), Outcome::Failed, &trouble.fact);
                entry.failure = trouble.known.map(Failure::of);
                entry.cure = Some(trouble.cure);
                None
            }
        }
    }

    pub(super) fn skip(&mut self, step: Step, why: &str) {
        self.add((step, 0), Outcome::Skipped, why);
    }

    fn add(&mut self, (step, us): (Step, u64), outcome: Outcome, fact: &str) -> &mut Entry {
        self.entries.push_mut(Entry {
            step,
            outcome,
            us,
            fact: format::harmless(fact),
            failure: None,
            cure: None,
        })
    }

    /// A later step has shown that a suspicion is right.
    pub(super) fn confirm(&mut self, known: Known) {
        for (place, suspected) in &self.suspected {
            if *suspected == known
                && let Some(entry) = self.entries.get_mut(*place)
            {
                entry.failure.get_or_insert(Failure::of(known));
            }
        }
    }

    /// A step has ended the examination.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Ends the examination; steps that were not reached are skipped.
    pub(super) fn report(mut self, url: &Url) -> Report {
        for step in STEPS {
            if self.entries.iter().all(|entry| entry.step != step) {
                self.skip(step, "stands on what failed");
            }
        }
        let failed = |entry: &Entry| entry.outcome == Outcome::Failed;
        Report {
            url: url.as_str().trim_end_matches('/').to_owned(),
            healthy: !self.entries.iter().any(failed),
            steps: self.entries,
        }
    }
}

/// What an examination found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub url: String,
    /// No step failed.
    pub healthy: bool,
    pub steps: Vec<Entry>,
}
