//! This module decides: is the new side slower than the base?
//!
//! **In:** the facts of the runs of both sides and the rules. **Out:** a [`Decision`], which holds all that a report says.
//!
//! **Method.** A metric is *slower* when three things hold: what was seen would come by chance in fewer than `level` of all
//! gates; it is past the relative *and* the absolute floor; it is past what two sides of one kind differ by (the noise of
//! the base). It is *the same* when its interval lies within the floors. Everything else cannot be told. The primary metric
//! decides; the others may fail a gate too, after Holm, together half as often.

use super::comparison::{Decision, Outcome, Role, Row, SCHEMA, Told, Word};
use super::facts::{Ended, RunFacts};
use super::rules::{Pairing, Rules};
use super::sides::{self, Named};
use super::{prospect, refusal, row, wording};
use crate::exit::Exit;

/// Holds the new side against the base.
pub(crate) fn decide(
    base: &Named<'_>,
    new: &Named<'_>,
    pairing: Pairing,
    rules: &Rules,
) -> Decision {
    let refusals = refusal::all(base.runs, new.runs, pairing);
    let first = base.runs.first().or(new.runs.first());
    let mut decision = Decision {
        schema: SCHEMA.to_owned(),
        outcome: Outcome::Refused,
        exit_code: 0,
        sentence: String::new(),
        title: first.map_or_else(String::new, |run| run.title.clone()),
        scenario: first.map_or_else(String::new, |run| run.scenario.clone()),
        base: sides::side(base),
        new: sides::side(new),
        design: None,
        rows: Vec::new(),
        smallest_before_ratio: None,
        refusals: refusals
            .iter()
            .map(|refusal| Told {
                fact: refusal.to_string(),
                hint: refusal.hint().to_owned(),
            })
            .collect(),
        notes: sides::notes(base, new, &rules.known_waits_us),
        rules: rules.clone(),
    };
    let invalid = ended(base.runs, Ended::Invalid).or_else(|| ended(new.runs, Ended::Invalid));
    if let Some(run) = invalid {
        decision.outcome = Outcome::Invalid;
        decision.sentence = format!("Run {} is invalid: {}", run.id, run.end.sentence);
    } else if let Some(refusal) = refusals.first() {
        decision.sentence = format!("Not to be compared: {refusal}.");
    } else {
        let layout = sides::Layout::of(base.runs, new.runs, pairing);
        decision.design = Some(layout.design());
        decision.rows = row::rows(&layout, rules);
        decision.smallest_before_ratio = prospect::smallest_before(&layout, rules);
        judge(&mut decision, new.runs);
    }
    decision.exit_code = decision.outcome.exit().code();
    decision
}

fn ended(runs: &[RunFacts], status: Ended) -> Option<&RunFacts> {
    runs.iter().find(|run| run.end.status == status)
}

/// The outcome of rows that may be believed. What a new run broke by itself comes first.
fn judge(decision: &mut Decision, new: &[RunFacts]) {
    let broke = |exit: Exit| new.iter().find(|run| run.end.exit_code == exit.code());
    if let Some(run) = broke(Exit::Incorrect) {
        decision.outcome = Outcome::Incorrect;
        decision.sentence = format!("Run {} broke a promise: {}", run.id, run.end.sentence);
        return;
    }
    if let Some(run) = broke(Exit::Threshold) {
        decision.outcome = Outcome::Threshold;
        decision.sentence = format!(
            "Run {} missed what is expected: {}",
            run.id, run.end.sentence
        );
        return;
    }
    let slower = |row: &&Row| row.word == Word::Slower && row.role != Role::Shown;
    let primary = decision.rows.iter().find(|row| row.role == Role::Primary);
    let worst = primary
        .filter(slower)
        .or_else(|| decision.rows.iter().find(slower));
    let told = |row: &Row| wording::sentence(row, row::level(&decision.rules, row.role));
    let (outcome, sentence) = match (worst, primary) {
        (Some(row), _) => (Outcome::Slower, told(row)),
        (None, Some(row)) if row.within || row.word == Word::Faster => (Outcome::Pass, told(row)),
        (None, Some(row)) => (Outcome::Inconclusive, told(row)),
        (None, None) => {
            let primary = &decision.rules.primary;
            let sentence = format!("No run carries {primary}, which decides.");
            (Outcome::Inconclusive, sentence)
        }
    };
    decision.outcome = outcome;
    decision.sentence = sentence;
}
