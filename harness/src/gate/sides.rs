//! This module lays the runs of two sides beside each other.
//!
//! **In:** the facts of runs. **Out:** a [`Layout`]: pairs, or two samples in order of time; and what is said of a side as a
//! whole.

use std::collections::BTreeMap;

use super::comparison::{BandPoint, RunNote, Side};
use super::facts::{Counts, Ended, RunFacts};
use super::rules::Pairing;
use super::statistics::{Design, median};
use super::wait;
use crate::stage::Stage;

/// The runs of a side, by a name for people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named<'a> {
    pub name: String,
    pub runs: &'a [RunFacts],
}

/// Percentiles of which a band is drawn.
const BAND: [f64; 12] = [
    0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.998, 0.999, 0.9995,
];
/// Notes on runs, at most: a hundred runs that were inconclusive are one fact.
const NOTES_MAX: usize = 8;

/// Which runs belong together.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub base: Vec<&'a RunFacts>,
    pub new: Vec<&'a RunFacts>,
    paired: bool,
}

impl<'a> Layout<'a> {
    pub(super) fn of(base: &'a [RunFacts], new: &'a [RunFacts], pairing: Pairing) -> Self {
        let layout = |paired| Self {
            base: base.iter().collect(),
            new: new.iter().collect(),
            paired,
        };
        match pairing {
            Pairing::InOrder => layout(true),
            Pairing::ByTime => {
                let turns = turns(base, new);
                turns.unwrap_or_else(|| layout(false).by_time())
            }
        }
    }

    fn by_time(mut self) -> Self {
        self.base
            .sort_by(|one, other| one.started_at.cmp(&other.started_at));
        self.new
            .sort_by(|one, other| one.started_at.cmp(&other.started_at));
        self
    }

    pub(super) fn design(&self) -> Design {
        self.design_of(self.base.len(), self.new.len())
    }

    /// The same design with fewer runs.
    pub(super) const fn design_of(&self, base: usize, new: usize) -> Design {
        if self.paired {
            Design::Paired { pairs: base }
        } else {
            Design::TwoSamples { base, new }
        }
    }

    pub(super) const fn is_paired(&self) -> bool {
        self.paired
    }
}

/// Runs that took turns, as pairs: in order of time each two neighbours are one of each side. `None`: they did not.
fn turns<'a>(base: &'a [RunFacts], new: &'a [RunFacts]) -> Option<Layout<'a>> {
    let of = |runs: &'a [RunFacts], is_new| runs.iter().map(move |run| (run, is_new));
    let mut all: Vec<(&RunFacts, bool)> = of(base, false).chain(of(new, true)).collect();
    all.sort_by(|(one, _), (other, _)| one.started_at.cmp(&other.started_at));
    let (couples, rest) = all.as_chunks::<2>();
    let mut layout = Layout {
        base: Vec::new(),
        new: Vec::new(),
        paired: rest.is_empty(),
    };
    for couple in couples {
        let ([(base, false), (new, true)] | [(new, true), (base, false)]) = *couple else {
            return None;
        };
        layout.base.push(base);
        layout.new.push(new);
    }
    layout.paired.then_some(layout)
}

/// A side as a whole.
pub(super) fn side(named: &Named<'_>) -> Side {
    let note = |run: &RunFacts| RunNote {
        id: run.id.clone(),
        started_at: run.started_at.clone(),
        commit: run.commit.clone(),
        end: run.end.clone(),
    };
    Side {
        name: named.name.clone(),
        runs: named.runs.iter().map(note).collect(),
        host: named.runs.first().map(|run| run.host.clone()),
        plan: named.runs.first().map(|run| run.plan.clone()),
        counts: sum(named.runs),
        band: band(named.runs),
    }
}

fn sum(runs: &[RunFacts]) -> Counts {
    let mut sum = Counts::default();
    for run in runs {
        let Counts {
            sent,
            completed,
            refused,
            unanswered,
            lost,
            duplicated,
            out_of_order,
            cut,
            failed_clients,
        } = run.counts;
        for (sum, more) in [
            (&mut sum.sent, sent),
            (&mut sum.completed, completed),
            (&mut sum.refused, refused),
            (&mut sum.unanswered, unanswered),
            (&mut sum.lost, lost),
            (&mut sum.duplicated, duplicated),
            (&mut sum.out_of_order, out_of_order),
            (&mut sum.cut, cut),
            (&mut sum.failed_clients, failed_clients),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
    sum
}

/// Percentiles that every run of the side knows.
fn band(runs: &[RunFacts]) -> Vec<BandPoint> {
    let point = |quantile: f64| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| at(run, quantile)).collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(BandPoint {
            quantile_ratio: quantile,
            lowest_us: values.iter().copied().fold(f64::INFINITY, f64::min),
            median_us: median(&values)?,
            highest_us: values.iter().copied().fold(0.0, f64::max),
        })
    };
    BAND.into_iter().filter_map(point).collect()
}

/// The value that the share does not exceed, as the run's curve has it.
fn at(run: &RunFacts, quantile: f64) -> Option<f64> {
    let mut points = run.curve.iter();
    let found = points.find(|point| point.quantile_ratio >= quantile)?;
    Some(found.value_us as f64)
}

/// Leaves of a run's curve what a band is drawn of.
pub(super) fn thin(run: &mut RunFacts) {
    let points = BAND.into_iter().filter_map(|quantile| {
        let mut points = run.curve.iter();
        points
            .find(|point| point.quantile_ratio >= quantile)
            .copied()
    });
    let mut kept: Vec<_> = points.collect();
    kept.dedup();
    run.curve = kept;
}

/// What a reader should know of the runs besides.
pub(super) fn notes(
    base: &Named<'_>,
    new: &Named<'_>,
    told_waits_us: &BTreeMap<Stage, u64>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut failed = |side: &Named<'_>, which: &str| {
        // Runs of which the same is to be said are told together.
        let mut told: Vec<(String, Vec<&str>)> = Vec::new();
        for run in side.runs {
            let what = match run.end.status {
                Ended::Pass | Ended::Interrupted => continue,
                Ended::Fail => "failed by itself",
                Ended::Invalid => "is invalid",
                Ended::Inconclusive => "could not tell all that its scenario expects",
            };
            let (code, sentence) = (run.end.exit_code, &run.end.sentence);
            let what = format!("{what} (exit {code}): {sentence}");
            match told.iter_mut().find(|(known, _)| *known == what) {
                Some((_, ids)) => ids.push(&run.id),
                None => told.push((what, vec![&run.id])),
            }
        }
        for (what, ids) in told {
            let more = match ids.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more of it)"),
            };
            notes.push(format!("{which} run {}{more} {what}", ids[0]));
        }
    };
    failed(base, "base");
    failed(new, "new");
    let more = notes.len().saturating_sub(NOTES_MAX);
    notes.truncate(NOTES_MAX);
    if more > 0 {
        notes.push(format!(
            "… and {more} more runs that did not pass by themselves"
        ));
    }
    let attached = |run: &RunFacts| run.plan.environment.is_none();
    let all = || base.runs.iter().chain(new.runs);
    if all().any(attached) && !all().all(attached) {
        let note = "one side was attached to and one was started here: \
                    whether their environments are alike is not known";
        notes.push(note.to_owned());
    }
    let mut unknown: Vec<String> = all().flat_map(|run| run.waits.unknown.clone()).collect();
    unknown.sort();
    unknown.dedup();
    notes.extend(wait::still_unknown(&unknown, told_waits_us).take(NOTES_MAX));
    notes
}
