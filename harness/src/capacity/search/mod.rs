//! This module says which load is tried next.
//!
//! **In:** what every load that was tried came to. **Out:** [`Next`]. No state but that: a search that was interrupted goes on
//! where it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a load without an answer is tried.
const UNCLEAR_MAX: usize = 2;
/// How often the generator must be full for it to be believed.
const FULL_MIN: usize = 2;
/// Most probes of a search.
pub(crate) const PROBES_MAX: usize = 200;
/// Loads at which the service once held and once broke, before the search ends with what it has.
const MIXED_MAX: usize = 4;

/// What a probe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Came {
    /// All that is expected held.
    Held,
    /// Something that is expected did not, or the service fell behind.
    Broke,
    /// The generator, or the machine that it shares with the target, was full: it says nothing of the target.
    Full,
    /// It could not be told.
    Unclear,
}

/// Where the search goes, and how finely.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Bounds {
    pub from: u64,
    pub to: u64,
    /// Ratio of the ends of the answer, less 1.
    pub precision_ratio: f64,
    /// How often each end must come to the same.
    pub confirm: usize,
}

/// Why a load is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// Twice the last one that held.
    Step,
    /// Between one that held and one that broke.
    Bisect,
    /// Once more.
    Confirm,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    Probe { load: u64, why: Why },
    Done(Found),
}

/// Where the limit lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Found {
    /// Everything held at the one load and broke at the other.
    Between { held: u64, broke: u64 },
    /// Everything held at the largest load that was allowed.
    AtLeast { held: u64 },
    /// Everything held at this load, and at the next one the generator was full.
    GeneratorFull { held: u64, full: u64 },
    /// The smallest load that was allowed broke already.
    LessThan { broke: u64 },
    /// No load had a clear answer.
    Unclear,
}

/// A probe, as far as the search is concerned.
pub(crate) type Seen = (u64, Came);

/// What all probes of one load say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    held: usize,
    broke: usize,
    full: usize,
    unclear: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Held,
    Broke,
    Full,
    /// Once so, once so; or nothing, however often it was tried.
    Mixed,
    /// Not yet.
    Open,
}

impl Tally {
    fn of(seen: &[Seen], load: u64) -> Self {
        let count = |came: Came| seen.iter().filter(|one| **one == (load, came)).count();
        Self {
            held: count(Came::Held),
            broke: count(Came::Broke),
            full: count(Came::Full),
            unclear: count(Came::Unclear),
        }
    }

    const fn word(self) -> Word {
        match (self.held, self.broke, self.full) {
            (1.., 0, _) => Word::Held,
            (0, 1.., _) => Word::Broke,
            (1.., 1.., _) => Word::Mixed,
            (0, 0, FULL_MIN..) => Word::Full,
            (0, 0, _) if self.unclear >= UNCLEAR_MAX => Word::Mixed,
            (0, 0, _) => Word::Open,
        }
    }
}

/// Loads that held and broke, both: the limit flaps there. Ascending.
pub(crate) fn flapping(seen: &[Seen]) -> Vec<u64> {
    let loads = loads(seen).into_iter();
    loads
        .filter(|load| {
            let tally = Tally::of(seen, *load);
            tally.held > 0 && tally.broke > 0
        })
        .collect()
}

/// The largest load that held above one that broke: more is not always worse there.
pub(crate) fn held_above_break(seen: &[Seen]) -> Option<u64> {
    let words = words(seen);
    let broke = words.iter().find(|(_, word)| *word == Word::Broke)?.0;
    let mut above = words.iter().rev();
    let held = above.find(|(load, word)| *word == Word::Held && *load > broke);
    held.map(|(load, _)| *load)
}

fn loads(seen: &[Seen]) -> Vec<u64> {
    let mut loads: Vec<u64> = seen.iter().map(|(load, _)| *load).collect();
    loads.sort_unstable();
    loads.dedup();
    loads
}

fn words(seen: &[Seen]) -> Vec<(u64, Word)> {
    let loads = loads(seen).into_iter();
    loads
        .map(|load| (load, Tally::of(seen, load).word()))
        .collect()
}

/// What is known of both ends so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    /// Largest load that held below every one that did not.
    held: Option<u64>,
    /// Smallest load that did not hold.
    bad: Option<(u64, Word)>,
    /// Smallest load from `bad` on that broke and never held.
    broke: Option<u64>,
}

impl Ends {
    fn of(words: &[(u64, Word)]) -> Self {
        let is_bad = |word: Word| matches!(word, Word::Broke | Word::Full | Word::Mixed);
        let bad = words.iter().copied().find(|(_, word)| is_bad(*word));
        let below = |load: u64| bad.is_none_or(|(bad, _)| load < bad);
        let held = words.iter().rev();
        let held = held
            .copied()
            .find(|(load, word)| *word == Word::Held && below(*load));
        let broke = words.iter().copied();
        let mut broke = broke.filter(|(_, word)| *word == Word::Broke);
        Self {
            held: held.map(|(load, _)| load),
            bad,
            broke: broke.next().map(|(load, _)| load),
        }
    }
}

/// The answer so far: what an interrupted search knows.
pub(crate) fn so_far(bounds: &Bounds, seen: &[Seen]) -> Found {
    let ends = Ends::of(&words(seen));
    match (ends.held, ends.bad, ends.broke) {
        (Some(held), Some((full, Word::Full)), _) => Found::GeneratorFull { held, full },
        (Some(held), _, Some(broke)) => Found::Between { held, broke },
        (Some(held), ..) => Found::AtLeast { held },
        (None, Some((load, _)), Some(broke)) if load == broke || load <= bounds.from => {
            Found::LessThan { broke }
        }
        (None, ..) => Found::Unclear,
    }
}

/// What to try next.
pub(crate) fn next(bounds: &Bounds, seen: &[Seen]) -> Next {
    let probe = |load, why| Next::Probe { load, why };
    if seen.len() >= PROBES_MAX {
        return Next::Done(so_far(bounds, seen));
    }
    let words = words(seen);
    if let Some((load, _)) = words.iter().find(|(_, word)| *word == Word::Open) {
        return probe(*load, Why::Confirm);
    }
    let tally = |load| Tally::of(seen, load);
    let ends = Ends::of(&words);
    let mixed = words
        .iter()
        .filter(|(_, word)| *word == Word::Mixed)
        .count();
    match (ends.held, ends.bad) {
        (None, None) => probe(bounds.from, Why::Step),
        (Some(held), None) if held < bounds.to => {
            probe(held.saturating_mul(2).min(bounds.to), Why::Step)
        }
        (Some(held), None) if tally(held).held < bounds.confirm => probe(held, Why::Confirm),
        (Some(held), None) => Next::Done(Found::AtLeast { held }),
        (None, Some((load, Word::Broke))) if tally(load).broke < bounds.confirm => {
            probe(load, Why::Confirm)
        }
        (None, Some(_)) => Next::Done(so_far(bounds, seen)),
        (Some(held), Some((bad, word))) => {
            if let Some(between) = between(held, bad, bounds.precision_ratio) {
                return probe(between, Why::Bisect);
            }
            if tally(held).held < bounds.confirm {
                return probe(held, Why::Confirm);
            }
            match word {
                Word::Broke if tally(bad).broke < bounds.confirm => probe(bad, Why::Confirm),
                Word::Mixed if mixed <= MIXED_MAX => beyond(bounds, seen, bad, ends.broke),
                Word::Broke | Word::Mixed | Word::Full | Word::Held | Word::Open => {
                    Next::Done(so_far(bounds, seen))
                }
            }
        }
    }
}

/// A load flaps: the answer ends at the next one above that always breaks.
fn beyond(bounds: &Bounds, seen: &[Seen], mixed: u64, broke: Option<u64>) -> Next {
    let probe = |load, why| Next::Probe { load, why };
    let step = |from: u64| {
        let grown = crate::units::rounded(from as f64 * (1.0 + bounds.precision_ratio));
        grown.max(from + 1)
    };
    match broke {
        Some(broke) if Tally::of(seen, broke).broke < bounds.confirm => probe(broke, Why::Confirm),
        Some(_) => Next::Done(so_far(bounds, seen)),
        None => {
            let highest = loads(seen).last().copied().unwrap_or(mixed);
            let load = step(highest.max(mixed));
            if load > bounds.to {
                return Next::Done(so_far(bounds, seen));
            }
            probe(load, Why::Step)
        }
    }
}

/// A load between both, in the middle of their ratio; `None`: they are as close as was asked.
fn between(held: u64, bad: u64, precision_ratio: f64) -> Option<u64> {
    let close = bad as f64 <= held as f64 * (1.0 + precision_ratio);
    if close || bad <= held + 1 {
        return None;
    }
    let middle = crate::units::rounded((held as f64 * bad as f64).sqrt());
    Some(middle.clamp(held + 1, bad - 1))
}

#[cfg(test)]
mod tests;
