//! This module reads the runs of a side from where a user says they are.
//!
//! **In:** folders of runs, folders of such folders, `result.json` files, patterns, kept baselines. **Out:** the facts of the
//! runs, in the order named; of a folder of folders by name. A result is read, reduced to its facts and let go: a thousand
//! runs fit into memory.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::baseline::{self, Baseline, BaselineError};
use super::facts::RunFacts;
use super::rules::RUNS_MAX;
use crate::intake::{self, reason};
use crate::result::store::{self, RESULT_FILE, StoreError};

/// Most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 20_000;
/// Enough of a JSON file to see which format it has.
const HEAD_BYTES_MAX: u64 = 256 << 20;

/// Why there are no runs.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    #[error("{}: cannot be listed: {}", path.display(), reason(source))]
    List {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: holds no run", .0.display())]
    Empty(PathBuf),
    #[error("{0}: no file or folder is called so")]
    NoMatch(String),
    #[error("{pattern}: is no pattern: {problem}")]
    Pattern { pattern: String, problem: String },
    #[error("more than {RUNS_MAX} runs")]
    TooMany,
}

impl InputError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Baseline(error) => error.hint(),
            Self::List { .. } => "look at the permissions of the folder",
            Self::Empty(_) => {
                "name folders of runs (each holds a result.json), or a folder of such folders"
            }
            Self::NoMatch(_) => {
                "name folders of runs, a pattern of them, or a baseline (`harness baseline list`)"
            }
            Self::Pattern { .. } => "write * for any letters and ? for one",
            Self::TooMany => "name fewer",
        }
    }
}

/// The runs of one side.
pub(crate) fn runs(named: &[PathBuf]) -> Result<Vec<RunFacts>, InputError> {
    let mut found = Vec::new();
    for path in named {
        for place in places(path)? {
            read(&place, &mut found)?;
        }
    }
    Ok(found)
}

/// What a name stands for.
fn places(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    if path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let text = path.to_string_lossy();
    if let Ok(kept) = baseline::path_of(Path::new(baseline::FOLDER), &text)
        && kept.is_file()
    {
        return Ok(vec![kept]);
    }
    if !text.contains(['*', '?', '[']) {
        return Err(InputError::NoMatch(text.into_owned()));
    }
    let matches = glob::glob(&text).map_err(|error| InputError::Pattern {
        pattern: text.clone().into_owned(),
        problem: error.to_string(),
    })?;
    let mut found: Vec<PathBuf> = matches.flatten().take(ENTRIES_MAX).collect();
    found.sort();
    if found.is_empty() {
        return Err(InputError::NoMatch(text.into_owned()));
    }
    Ok(found)
}

fn read(place: &Path, found: &mut Vec<RunFacts>) -> Result<(), InputError> {
    if place.is_dir() {
        return folder(place, found);
    }
    if is_baseline(place) {
        for run in Baseline::read(place)?.runs {
            add(found, run)?;
        }
        return Ok(());
    }
    add(found, RunFacts::of(&store::read(place)?))
}

/// A run, or the runs in it: `harness run --repeat` makes such.
fn folder(place: &Path, found: &mut Vec<RunFacts>) -> Result<(), InputError> {
    let result = place.join(RESULT_FILE);
    if result.exists() {
        return add(found, RunFacts::of(&store::read(&result)?));
    }
    let unlisted = |source| InputError::List {
        path: place.to_owned(),
        source,
    };
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(place)
        .map_err(unlisted)?
        .take(ENTRIES_MAX)
    {
        let result = entry.map_err(unlisted)?.path().join(RESULT_FILE);
        if result.exists() {
            inside.push(result);
        }
    }
    if inside.is_empty() {
        return Err(InputError::Empty(place.to_owned()));
    }
    inside.sort();
    for result in inside {
        add(found, RunFacts::of(&store::read(&result)?))?;
    }
    Ok(())
}

fn add(found: &mut Vec<RunFacts>, run: RunFacts) -> Result<(), InputError> {
    if found.len() >= RUNS_MAX {
        return Err(InputError::TooMany);
    }
    found.push(run);
    Ok(())
}

#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// A file that says it is a baseline, whatever its version. What cannot be read is told of by who reads it whole.
fn is_baseline(path: &Path) -> bool {
    let bytes = intake::bytes(path, HEAD_BYTES_MAX).unwrap_or_default();
    let head: Option<Head> = serde_json::from_slice(&bytes).ok();
    head.is_some_and(|head| head.schema.starts_with("harness.baseline/"))
}
