//! This module holds the folder of several runs.
//!
//! **In:** `--out`. **Out:** a folder that was new or empty, and `runs.json` in it, written anew after every run: whoever
//! comes later, and whoever was interrupted, finds there what was done in which order.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::OneRun;
use crate::cli::claim;
use crate::cli::failure::Failure;
use crate::exit::Exit;
use crate::intake;
use crate::result::store::RunDir;

/// Its name.
pub(crate) const INDEX: &str = "runs.json";
const SCHEMA: &str = "harness.runs/1";

/// The folder of several runs.
#[derive(Debug)]
pub(crate) struct Place {
    pub path: PathBuf,
    index: Index,
}

#[derive(Debug, Serialize)]
struct Index {
    schema: &'static str,
    /// The command that repeats it.
    command: String,
    /// Of the order of the sides, where there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_seed: Option<u64>,
    runs: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    /// Below the folder.
    folder: String,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
}

impl Place {
    /// Makes the folder; it must be new or empty.
    pub(crate) fn make(
        path: &Path,
        command: String,
        order_seed: Option<u64>,
    ) -> Result<Self, Failure> {
        claim::empty(path)?;
        std::fs::create_dir_all(path).map_err(|error| {
            let reason = intake::reason(&error);
            let fact = format!("--out {}: cannot be written: {reason}", path.display());
            Failure::new(Exit::Storage, fact)
                .hint("name a folder that can be written to, with --out")
        })?;
        let place = Self {
            path: path.to_owned(),
            index: Index {
                schema: SCHEMA,
                command,
                order_seed,
                runs: Vec::new(),
            },
        };
        place.write()?;
        Ok(place)
    }

    /// Adds a run to the list.
    pub(crate) fn note(&mut self, run: &OneRun) -> Result<(), Failure> {
        let below = run.folder.strip_prefix(&self.path).unwrap_or(&run.folder);
        self.index.runs.push(Entry {
            folder: below.display().to_string(),
            exit_code: run.exit.code(),
            id: run.facts.as_ref().map(|facts| facts.id.clone()),
            verdict: run.facts.as_ref().map(|facts| facts.end.sentence.clone()),
        });
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.index);
        let text = text.map_err(|error| Failure::new(Exit::Bug, format!("{INDEX}: {error}")))?;
        Ok(RunDir::at(&self.path).write(INDEX, &text)?)
    }
}
