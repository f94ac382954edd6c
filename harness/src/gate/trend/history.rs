//! This module reads a history: the baselines and gates in folders.
//!
//! **In:** folders and files. **Out:** [`Sample`]s, and a sentence on each file that gave none. A file that was named must be
//! readable; what merely lies in a folder is told of and passed by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::account::{Point, PointKind};
use crate::gate::baseline::{self, Baseline};
use crate::gate::comparison::{self, Decision, Row, Side};
use crate::gate::facts::{HostClass, PlanPrint};
use crate::gate::metric::Metric;
use crate::gate::statistics::median;
use crate::intake::{self, IntakeError};
use crate::result::store::RESULT_FILE;

/// Deepest folder below one that was named.
const DEPTH_MAX: usize = 6;
/// Most files and folders that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// Largest file that is read.
const BYTES_MAX: u64 = 128 << 20;
/// The part of a file in which its format is named.
const HEAD_BYTES: usize = 1_024;
/// Notes on files, at most.
const NOTES_MAX: usize = 20;

/// Why there is no history.
#[derive(Debug, Error)]
pub(crate) enum HistoryError {
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: IntakeError,
    },
    #[error("{}: is no baseline and no gate: {problem}", path.display())]
    Other { path: PathBuf, problem: String },
    #[error("{}: is a damaged baseline or gate: {problem}", path.display())]
    Damaged { path: PathBuf, problem: String },
    #[error("{0}: no baseline and no gate in it")]
    Empty(String),
    #[error("{names}: nothing in it can be drawn: {}", notes.join("; "))]
    Unusable { names: String, notes: Vec<String> },
    #[error("more than {ENTRIES_MAX} files and folders")]
    TooMany,
}

impl HistoryError {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "look at its path and permissions",
            Self::Other { .. } => {
                "name files that `harness baseline save` or `harness gate --out` wrote, or folders of them"
            }
            Self::Damaged { .. } | Self::Unusable { .. } => {
                "write it again, or take it out of the history"
            }
            Self::Empty(_) => {
                "keep runs with `harness baseline save`, or the answers of gates with `harness gate --out`"
            }
            Self::TooMany => "name the folder that holds the baselines and gates only",
        }
    }
}

/// One side of a gate or one baseline, with what it measured.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub point: Point,
    pub title: String,
    pub scenario: String,
    pub host: HostClass,
    pub plan: PlanPrint,
    /// Whose median over the runs it is, whole.
    pub values: BTreeMap<Metric, f64>,
    /// Planned waits, where they are known.
    pub waits: BTreeMap<Metric, f64>,
    /// Of the runs.
    ids: BTreeSet<String>,
}

/// The samples of a history, in order of time, and what is to be said of it.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(super) samples: Vec<Sample>,
    pub(super) notes: Vec<String>,
}

/// Reads the files and folders that were named.
///
/// # Errors
///
/// [`HistoryError`]: a file that was named is neither kind, or there is nothing at all.
pub(crate) fn read(named: &[PathBuf]) -> Result<History, HistoryError> {
    let mut history = History::default();
    let mut left = ENTRIES_MAX;
    for path in named {
        if path.is_dir() {
            history.folder(path, DEPTH_MAX, &mut left)?;
        } else {
            history.file(path)?;
        }
    }
    if history.samples.is_empty() {
        let names = named.iter().map(|path| path.display().to_string());
        let names = names.collect::<Vec<_>>().join(", ");
        let notes = history.notes;
        return Err(if notes.is_empty() {
            HistoryError::Empty(names)
        } else {
            HistoryError::Unusable { names, notes }
        });
    }
    history.order();
    Ok(history)
}

#[derive(Deserialize)]
struct Head {
    schema: String,
}

impl History {
    fn folder(
        &mut self,
        folder: &Path,
        depth: usize,
        left: &mut usize,
    ) -> Result<(), HistoryError> {
        // Who may not be listed is passed by like a file that cannot be read.
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()),
            Err(error) => {
                let reason = intake::reason(&error);
                self.note(format!("{}: cannot be listed: {reason}", folder.display()));
                return Ok(());
            }
        };
        let mut paths: Vec<PathBuf> = entries.take(*left + 1).collect();
        *left = left.checked_sub(paths.len()).ok_or(HistoryError::TooMany)?;
        paths.sort();
        for path in paths {
            if path.is_dir() && !path.is_symlink() && depth > 0 {
                self.folder(&path, depth - 1, left)?;
            }
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            // Results of runs are long, and no part of a history by themselves.
            let is_result = path.file_name().is_some_and(|name| name == RESULT_FILE);
            if is_json && !is_result && path.is_file() {
                match self.file(&path) {
                    // Any JSON may lie there.
                    Ok(()) | Err(HistoryError::Other { .. }) => {}
                    Err(error) => self.note(error.to_string()),
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), HistoryError> {
        let bytes = intake::bytes(path, BYTES_MAX).map_err(|source| HistoryError::Read {
            path: path.to_owned(),
            source,
        })?;
        let path_of = || path.to_owned();
        let damaged = |problem: String| HistoryError::Damaged {
            path: path_of(),
            problem,
        };
        let head: Result<Head, _> = serde_json::from_slice(&bytes);
        match head {
            Ok(head) if head.schema == baseline::SCHEMA => {
                let kept: Baseline =
                    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
                self.samples.extend(of_baseline(path, &kept));
            }
            Ok(head) if head.schema == comparison::SCHEMA => {
                let decision: Decision =
                    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
                self.gate(path, &decision);
            }
            Ok(head) => {
                return Err(HistoryError::Other {
                    path: path_of(),
                    problem: format!("its format is \"{}\"", head.schema),
                });
            }
            Err(error) if is_ours(&bytes) => return Err(damaged(error.to_string())),
            Err(error) => {
                return Err(HistoryError::Other {
                    path: path_of(),
                    problem: error.to_string(),
                });
            }
        }
        Ok(())
    }

    fn gate(&mut self, path: &Path, decision: &Decision) {
        let sides = [
            (&decision.base, PointKind::GateBase),
            (&decision.new, PointKind::GateNew),
        ];
        for (side, kind) in sides {
            match of_side(path, decision, side, kind) {
                Some(sample) => self.samples.push(sample),
                None => self.note(format!(
                    "{}: nothing was compared, or an older harness wrote it: {}",
                    path.display(),
                    decision.sentence
                )),
            }
        }
    }

    fn note(&mut self, text: String) {
        if self.notes.len() < NOTES_MAX && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// In order of time, each run once: what a baseline holds is also one side of every gate by it.
    fn order(&mut self) {
        let place = |sample: &Sample| {
            let point = &sample.point;
            let is_gate = point.kind != PointKind::Baseline;
            (point.at.clone(), is_gate, point.file.clone())
        };
        self.samples.sort_by_key(place);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        self.samples.retain(|sample| {
            let is_new = sample.ids.iter().any(|id| !seen.contains(id));
            seen.extend(sample.ids.iter().cloned());
            is_new
        });
    }
}

/// What says in its first lines that it is of a kind that is read here, whatever became of the rest.
fn is_ours(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD_BYTES)]).into_owned();
    [baseline::SCHEMA, comparison::SCHEMA]
        .iter()
        .any(|schema| head.contains(schema))
}

fn of_baseline(path: &Path, kept: &Baseline) -> Option<Sample> {
    let first = kept
        .runs
        .iter()
        .min_by(|one, other| one.started_at.cmp(&other.started_at))?;
    let mut all: BTreeMap<&Metric, Vec<f64>> = BTreeMap::new();
    for (metric, value) in kept.runs.iter().flat_map(|run| &run.values) {
        all.entry(metric).or_default().push(*value);
    }
    let values = all.iter();
    let values = values.filter_map(|(metric, values)| Some(((*metric).clone(), median(values)?)));
    let wait = |metric: &Metric| {
        let wait = first.waits.us.get(&metric.stage()?)?;
        Some((metric.clone(), *wait as f64))
    };
    Some(Sample {
        point: Point {
            at: first.started_at.clone(),
            name: kept.name.clone(),
            file: path.display().to_string(),
            kind: PointKind::Baseline,
            commit: first.commit.clone(),
            runs: kept.runs.len(),
            outcome: None,
        },
        title: first.title.clone(),
        scenario: first.scenario.clone(),
        host: kept.host.clone(),
        plan: kept.plan.clone(),
        values: values.collect(),
        waits: all.keys().copied().filter_map(wait).collect(),
        ids: kept.runs.iter().map(|run| run.id.clone()).collect(),
    })
}

/// One side; `None` where nothing was measured.
fn of_side(path: &Path, decision: &Decision, side: &Side, kind: PointKind) -> Option<Sample> {
    let first = side
        .runs
        .iter()
        .min_by(|one, other| one.started_at.cmp(&other.started_at))?;
    let of = |row: &Row| match kind {
        PointKind::GateNew => row.new_median,
        PointKind::GateBase | PointKind::Baseline => row.base_median,
    };
    let rows = decision.rows.iter();
    let values: BTreeMap<Metric, f64> = rows
        .clone()
        .filter_map(|row| Some((row.metric.clone(), of(row)?)))
        .collect();
    let waits = rows.filter_map(|row| Some((row.metric.clone(), row.wait?)));
    if values.is_empty() {
        return None;
    }
    Some(Sample {
        point: Point {
            at: first.started_at.clone(),
            name: side.name.clone(),
            file: path.display().to_string(),
            kind,
            commit: first.commit.clone(),
            runs: side.runs.len(),
            outcome: (kind == PointKind::GateNew).then_some(decision.outcome),
        },
        title: decision.title.clone(),
        scenario: decision.scenario.clone(),
        host: side.host.clone()?,
        plan: side.plan.clone()?,
        values,
        waits: waits.collect(),
        ids: side.runs.iter().map(|run| run.id.clone()).collect(),
    })
}
