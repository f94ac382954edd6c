//! This module says which load is tried next.
//!
//! **In:** what every load that was tried came to. **Out:** [`Next`]. No state but that: a search that was interrupted goes on
//! where it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a load may be tried in vain: the generator was full, or nothing could be told.
const VAIN_MAX: usize = 3;
/// How often the generator must be full for it to be believed.
const FULL_MIN: usize = 2;
/// Most probes of a search.
pub(crate) const PROBES_MAX: usize = 200;
/// A load that held and broke is tried until one is so far ahead, or so often.
const AHEAD_MIN: usize = 2;
const DECIDED_MAX: usize = 5;

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

impl Found {
    /// The largest load that held; `None` where none did.
    pub(crate) const fn held(self) -> Option<u64> {
        match self {
            Self::Between { held, .. }
            | Self::AtLeast { held }
            | Self::GeneratorFull { held, .. } => Some(held),
            Self::LessThan { .. } | Self::Unclear => None,
        }
    }
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
    /// Once so, once so, however often it was tried.
    Flapping,
    /// Nothing could be told, however often it was tried.
    Dark,
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
        match (self.held, self.broke) {
            (1.., 0) => Word::Held,
            (0, 1..) => Word::Broke,
            (0, 0) if self.full >= FULL_MIN => Word::Full,
            (0, 0) if self.is_in_vain() => Word::Dark,
            (0, 0) => Word::Open,
            (held, broke) if held >= broke + AHEAD_MIN => Word::Held,
            (held, broke) if broke >= held + AHEAD_MIN => Word::Broke,
            (held, broke) if held + broke >= DECIDED_MAX || self.is_in_vain() => Word::Flapping,
            (_, _) => Word::Open,
        }
    }

    /// It is not tried any more to no avail.
    const fn is_in_vain(self) -> bool {
        self.full + self.unclear >= VAIN_MAX
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
    /// Largest load that held or flaps; the limit may lie above it only where `bad` flaps.
    top: Option<u64>,
    /// Smallest load that broke: from `bad` on, and where that flaps above `top`.
    broke: Option<u64>,
}

impl Ends {
    fn of(words: &[(u64, Word)]) -> Self {
        let is_bad = |word: Word| matches!(word, Word::Broke | Word::Full | Word::Flapping);
        let bad = words.iter().copied().find(|(_, word)| is_bad(*word));
        let below = |load: u64| bad.is_none_or(|(bad, _)| load < bad);
        let mut held = words.iter().rev();
        let held = held.find(|(load, word)| *word == Word::Held && below(*load));
        let mut top = words.iter().rev();
        let top = top.find(|(_, word)| matches!(word, Word::Held | Word::Flapping));
        let from = match bad {
            Some((_, Word::Flapping)) => top.map_or(0, |(load, _)| *load),
            Some((load, _)) => load,
            None => 0,
        };
        let mut broke = words.iter();
        let broke = broke.find(|(load, word)| *word == Word::Broke && *load >= from);
        let load = |found: Option<&(u64, Word)>| found.map(|(load, _)| *load);
        Self {
            held: load(held),
            bad,
            top: load(top),
            broke: load(broke),
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
        (None, Some((load, Word::Broke)), Some(broke)) if load <= bounds.from => {
            Found::LessThan { broke }
        }
        (None, ..) => Found::Unclear,
    }
}

/// Whether an answer is what was asked for: as narrow, and each end as often confirmed.
pub(crate) fn is_sure(bounds: &Bounds, seen: &[Seen], found: Found) -> bool {
    let tally = |load| Tally::of(seen, load);
    match found {
        Found::Between { held, broke } => {
            let confirmed =
                tally(held).held >= bounds.confirm && tally(broke).broke >= bounds.confirm;
            let narrow = between(held, broke, bounds.precision_ratio).is_none();
            confirmed && (narrow || !flapping(seen).is_empty())
        }
        Found::AtLeast { held } => held >= bounds.to && tally(held).held >= bounds.confirm,
        Found::LessThan { broke } => tally(broke).broke >= bounds.confirm,
        Found::GeneratorFull { .. } | Found::Unclear => false,
    }
}

/// What to try next.
pub(crate) fn next(bounds: &Bounds, seen: &[Seen]) -> Next {
    let done = || Next::Done(so_far(bounds, seen));
    let words = words(seen);
    let is_dark = words.iter().any(|(_, word)| *word == Word::Dark);
    if seen.len() >= PROBES_MAX || is_dark {
        return done();
    }
    if let Some((load, _)) = words.iter().find(|(_, word)| *word == Word::Open) {
        return Next::Probe {
            load: *load,
            why: Why::Confirm,
        };
    }
    let ends = Ends::of(&words);
    let step = |load: u64| Next::Probe {
        load,
        why: Why::Step,
    };
    let twice = |load: u64| load.saturating_mul(2).min(bounds.to);
    let held_once_more = |load| once_more(seen, load, |tally| tally.held < bounds.confirm);
    let broke_once_more = |load| once_more(seen, load, |tally| tally.broke < bounds.confirm);
    match (ends.held, ends.bad) {
        (None, None) => step(bounds.from),
        // An earlier search began higher.
        (None, Some((bad, _))) if bad > bounds.from => step(bounds.from),
        (None, Some((bad, Word::Broke))) => broke_once_more(bad).unwrap_or_else(done),
        (None, Some(_)) => done(),
        (Some(held), None) if held < bounds.to => step(twice(held)),
        (Some(held), None) => held_once_more(held).unwrap_or_else(done),
        (Some(held), Some((bad, word))) => {
            let narrower = bisect(held, bad, bounds.precision_ratio);
            let first = narrower.or_else(|| held_once_more(held));
            first.unwrap_or_else(|| match word {
                Word::Broke => broke_once_more(bad).unwrap_or_else(done),
                Word::Flapping => {
                    let top = ends.top.unwrap_or(bad);
                    let is_full = words
                        .iter()
                        .any(|(load, word)| *word == Word::Full && *load > top);
                    match ends.broke {
                        Some(broke) => bisect(top, broke, bounds.precision_ratio)
                            .or_else(|| broke_once_more(broke))
                            .unwrap_or_else(done),
                        None if top < bounds.to && !is_full => step(twice(top)),
                        None => done(),
                    }
                }
                Word::Full | Word::Held | Word::Dark | Word::Open => done(),
            })
        }
    }
}

/// The same load again, where that is wanted and was not in vain.
fn once_more(seen: &[Seen], load: u64, wanted: impl Fn(Tally) -> bool) -> Option<Next> {
    let tally = Tally::of(seen, load);
    (wanted(tally) && !tally.is_in_vain()).then_some(Next::Probe {
        load,
        why: Why::Confirm,
    })
}

fn bisect(held: u64, bad: u64, precision_ratio: f64) -> Option<Next> {
    let load = between(held, bad, precision_ratio)?;
    Some(Next::Probe {
        load,
        why: Why::Bisect,
    })
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
