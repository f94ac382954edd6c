//! This module judges: what the phases and the examination say of each known failure.
//!
//! **In:** what the phases came to, and how the door was found. **Out:** an [`Audit`].

use super::account::{Audit, PhaseAccount, Row, SCHEMA, Verdict, count};
use super::cause;
use super::phase::{Composed, reasons};
use crate::doctor;
use crate::exit::Exit;
use crate::format;
use crate::known::Known;
use crate::result::{CheckStatus, RunResult, Status, observed_text};

/// Failures of the clients: the ones that an audit brings are the harness' own.
const OF_CLIENTS: [Known; 3] = [
    Known::RacingConnects,
    Known::NoBackoff,
    Known::StaleTokenRetry,
];
/// Failures that keep everybody out.
const OF_THE_DOOR: [Known; 3] = [
    Known::ProxyNoUpgrade,
    Known::WrongServer,
    Known::WrongSchemeOrPort,
];

/// Failures that show in answers: without any, nothing disproves them.
const OF_ANSWERS: [Known; 4] = [
    Known::ChunkReorder,
    Known::CompleteMissing,
    Known::WrongConversation,
    Known::PubsubOnly,
];

/// What a phase came to.
#[derive(Debug)]
pub(crate) struct Came {
    pub tests: Vec<Known>,
    pub name: &'static str,
    /// The folder of the run below that of the audit, and its result; or why there is none.
    pub outcome: Result<(String, Box<RunResult>), String>,
}

/// How the door of the service was found.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// `None`: the runs start the server themselves.
    pub report: Option<doctor::Report>,
}

impl Entrance {
    /// The step at which the examination ended before anybody was let in, and what was seen there.
    pub(crate) fn shut(&self) -> Option<String> {
        let steps = &self.report.as_ref()?.steps;
        let inside = steps.iter().any(|entry| {
            entry.step == doctor::Step::Connected && entry.outcome == doctor::Outcome::Ok
        });
        let failed = |entry: &&doctor::Entry| entry.outcome == doctor::Outcome::Failed;
        let first = steps.iter().find(failed).filter(|_| !inside)?;
        Some(format!("{}: {}", first.step.word(), first.fact))
    }
}

/// A failure that was seen, and what saw it.
struct Sight {
    by: String,
    proof: String,
    /// Whether that is beyond doubt.
    sound: bool,
}

/// Judges. `interrupted`: somebody ended it.
pub(crate) fn judged(
    (title, command, target): (String, String, Option<String>),
    (entrance, composed, came): (&Entrance, &[Composed], &[Came]),
    interrupted: bool,
) -> Audit {
    let judge = Judge {
        entrance,
        composed,
        came,
    };
    let mut rows: Vec<Row> = Known::all().map(|known| judge.row(known)).collect();
    let broken: Vec<Known> = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Broke)
        .map(|row| row.name)
        .collect();
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Broke) {
        row.follows_from = cause::of(row.name, &broken);
    }
    let exit = end(&rows, interrupted);
    Audit {
        schema: SCHEMA.to_owned(),
        title,
        command,
        target,
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        sentence: sentence(&rows, interrupted),
        exit_code: exit.code(),
        phases: came.iter().map(Came::account).collect(),
        rows,
    }
}

fn end(rows: &[Row], interrupted: bool) -> Exit {
    let ends = [
        (interrupted, Exit::Interrupted),
        (count(rows, Verdict::Broke) > 0, Exit::Incorrect),
        (count(rows, Verdict::Inconclusive) > 0, Exit::Inconclusive),
    ];
    let first = ends.into_iter().find(|(applies, _)| *applies);
    first.map_or(Exit::Pass, |(_, exit)| exit)
}

fn sentence(rows: &[Row], interrupted: bool) -> String {
    let [broke, unclear, held, untried] = [
        Verdict::Broke,
        Verdict::Inconclusive,
        Verdict::Held,
        Verdict::Untried,
    ]
    .map(|verdict| count(rows, verdict));
    let ended = if interrupted { "Ended early. " } else { "" };
    format!(
        "{ended}Of {} known failures the service has {broke}, does not show {held}, and of {unclear} nothing can be said; {untried} cannot be tried here.",
        rows.len()
    )
}

impl Came {
    fn account(&self) -> PhaseAccount {
        let name = self.name.to_owned();
        match &self.outcome {
            Ok((folder, result)) => PhaseAccount {
                name,
                folder: Some(folder.clone()),
                exit_code: Some(result.exit_code),
                sentence: result.verdict.sentence.clone(),
            },
            Err(why) => PhaseAccount {
                name,
                folder: None,
                exit_code: None,
                sentence: why.clone(),
            },
        }
    }

    fn result(&self) -> Option<&RunResult> {
        self.outcome.as_ref().ok().map(|(_, result)| &**result)
    }
}

struct Judge<'a> {
    entrance: &'a Entrance,
    composed: &'a [Composed],
    came: &'a [Came],
}

impl Judge<'_> {
    fn row(&self, known: Known) -> Row {
        let (verdict, by, proof) = self.judged(known);
        Row {
            row: known.row(),
            name: known,
            verdict,
            proof,
            by,
            follows_from: Vec::new(),
        }
    }

    fn judged(&self, known: Known) -> (Verdict, String, String) {
        if OF_CLIENTS.contains(&known) {
            let why = "it is the client's doing, and the clients of an audit are the harness' own";
            return (Verdict::Untried, String::new(), why.to_owned());
        }
        let mut sights = self.sights(known);
        if let Some(place) = sights.iter().position(|sight| sight.sound) {
            let sight = sights.swap_remove(place);
            return (Verdict::Broke, sight.by, sight.proof);
        }
        if let Some(sight) = sights.pop() {
            let proof = format!("seen, but the run is invalid: {}", sight.proof);
            return (Verdict::Inconclusive, sight.by, proof);
        }
        if OF_THE_DOOR.contains(&known) || known == Known::RedisNoauth {
            return self.door(known);
        }
        self.tested(known)
    }

    /// Whoever saw it.
    fn sights(&self, known: Known) -> Vec<Sight> {
        let steps = self.entrance.report.iter().flat_map(|report| &report.steps);
        let named = steps.filter(|entry| {
            let failure = entry.failure.as_ref();
            failure.is_some_and(|failure| failure.name == known.name())
        });
        let examined = named.map(|entry| Sight {
            by: format!("doctor, {}", entry.step.word()),
            proof: entry.fact.clone(),
            sound: true,
        });
        let runs = self
            .came
            .iter()
            .filter_map(|came| Some((came.name, came.result()?)));
        let runs = runs.flat_map(|(phase, result)| {
            let sound = result.verdict.status != Status::Invalid || !known.needs_sound_run();
            let broke = about(result, known).filter(|seen| seen.status == CheckStatus::Broke);
            broke.map(move |seen| Sight {
                by: format!("{phase}, {}", seen.name),
                proof: seen.proof(),
                sound,
            })
        });
        examined.chain(runs).collect()
    }

    /// Failures that keep everybody out, or all answers: that somebody was answered disproves them.
    fn door(&self, known: Known) -> (Verdict, String, String) {
        let results = self
            .came
            .iter()
            .filter_map(|came| Some((came.name, came.result()?)));
        let (needed, what): (fn(&RunResult) -> u64, &str) = if known == Known::RedisNoauth {
            (|result| result.delivery.completed, "messages were answered")
        } else {
            (|result| result.clients.opened, "sockets were opened")
        };
        let most = results.max_by_key(|(_, result)| needed(result));
        match most.map(|(phase, result)| (phase, needed(result))) {
            Some((phase, number)) if number > 0 => {
                let proof = format!("{} {what}", format::count(number));
                (Verdict::Held, phase.to_owned(), proof)
            }
            _ => {
                let shut = self.entrance.shut();
                let why =
                    shut.unwrap_or_else(|| format!("no {}", what.replace(" were", " were ever")));
                (Verdict::Inconclusive, String::new(), why)
            }
        }
    }

    /// What the phases say that were made to show it.
    fn tested(&self, known: Known) -> (Verdict, String, String) {
        let mut unclear = None;
        for came in self.came.iter().filter(|came| came.tests.contains(&known)) {
            let result = match &came.outcome {
                Ok((_, result)) => result,
                Err(why) => {
                    unclear.get_or_insert((came.name.to_owned(), why.clone()));
                    continue;
                }
            };
            if result.verdict.status == Status::Invalid {
                let why = format!("the run is invalid: {}", result.verdict.sentence);
                unclear.get_or_insert((came.name.to_owned(), why));
                continue;
            }
            for seen in about(result, known) {
                let by = format!("{}, {}", came.name, seen.name);
                match seen.status {
                    CheckStatus::Held
                        if OF_ANSWERS.contains(&known) && result.delivery.completed == 0 =>
                    {
                        unclear.get_or_insert((by, "no message was answered".to_owned()));
                    }
                    CheckStatus::Held => return (Verdict::Held, by, seen.proof()),
                    CheckStatus::Inconclusive | CheckStatus::Broke => {
                        unclear.get_or_insert((by, seen.finding.to_owned()));
                    }
                }
            }
            unclear
                .get_or_insert_with(|| (came.name.to_owned(), "the run ended before".to_owned()));
        }
        if let Some((by, why)) = unclear {
            return (Verdict::Inconclusive, by, why);
        }
        if let Some(why) = reasons(self.composed).get(&known) {
            return (Verdict::Untried, String::new(), (*why).to_owned());
        }
        let why = self.entrance.shut().map_or_else(
            || "the audit ended before".to_owned(),
            |shut| format!("nobody was let in: {shut}"),
        );
        (Verdict::Inconclusive, String::new(), why)
    }
}

/// A check or an expectation that is about a failure.
struct Seen<'a> {
    name: String,
    status: CheckStatus,
    observed: String,
    finding: &'a str,
}

impl Seen<'_> {
    fn proof(&self) -> String {
        let parts = [self.observed.as_str(), self.finding];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("; ")
    }
}

fn about(result: &RunResult, known: Known) -> impl Iterator<Item = Seen<'_>> {
    let checks = result.checks.iter();
    let checks = checks.filter(move |check| check.known.contains(&known));
    let checks = checks.map(|check| Seen {
        name: check.name.clone(),
        status: check.status,
        observed: check.observed.clone(),
        finding: &check.finding,
    });
    let expectations = result.expectations.iter();
    let expectations = expectations.filter(move |one| one.known.contains(&known));
    let expectations = expectations.map(|one| Seen {
        name: one.name.clone(),
        status: one.status,
        observed: observed_text(one),
        finding: &one.finding,
    });
    checks.chain(expectations)
}
