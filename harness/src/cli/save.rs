//! This module writes what a run leaves behind.
//!
//! **In:** a finished run and its folder. **Out:** `result.json` first, then everything drawn from
//! it, the latency log and the plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use super::failure::{Exit, Failure};
use super::report::draw;
use crate::plan::print;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::Recording;
use crate::render::{Format, hlog};
use crate::result::store::RunDir;
use crate::run::Finished;
use crate::stage::Stage;

/// The resolved plan, as a scenario.
const PLAN_FILE: &str = "plan.toml";
/// More logs than a run can leave.
const LOGS_MAX: usize = 1_000;

/// Removes what an earlier run left in its folder, and nothing else: a run that fails must not stand beside the verdict
/// of another.
pub(super) fn forget(folder: &RunDir) -> Result<(), Failure> {
    let drawn = Format::DRAWN
        .iter()
        .chain(&[Format::Json])
        .flat_map(|format| format.renderers());
    let names = drawn
        .map(|renderer| renderer.file())
        .chain([hlog::FILE, PLAN_FILE]);
    for path in names.map(|name| folder.file(name)) {
        remove(&path)?;
    }
    forget_logs(&folder.file("logs"))
}

/// The logs of a run, and their folder where nothing else lies in it.
fn forget_logs(logs: &Path) -> Result<(), Failure> {
    let own = fs::symlink_metadata(logs).is_ok_and(|found| found.is_dir());
    if !own {
        // A link is not followed: what it leads to is not of the run.
        return remove(logs);
    }
    let entries = fs::read_dir(logs).map_err(|error| cannot(logs, &error))?;
    for entry in entries.take(LOGS_MAX) {
        let path = entry.map_err(|error| cannot(logs, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            remove(&path)?;
        }
    }
    match fs::remove_dir(logs) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(cannot(logs, &error)),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot(path, &error)),
        _ => Ok(()),
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Storage, format!("{}: {error}", path.display()))
        .hint("is it of the run that --overwrite replaces? remove it, or name another folder")
}

/// Writes every file of a run.
pub(super) fn all(finished: &Finished, folder: &RunDir) -> Result<(), Failure> {
    let result = &finished.result;
    draw(result, folder, &[Format::Json])?;
    draw(result, folder, &Format::DRAWN)?;
    folder.write(PLAN_FILE, print::to_toml(&result.plan).as_bytes())?;
    let by_interval = by_interval(&finished.facts.recording);
    let length_us = result.plan.interval_us;
    let intervals = by_interval
        .iter()
        .map(|((interval, stage), histogram)| hlog::Interval {
            start_us: u64::from(*interval) * length_us,
            length_us,
            stage: *stage,
            histogram,
        });
    let mut log = Vec::new();
    hlog::write(
        intervals,
        Duration::from_nanos(finished.started_wall_ns),
        &mut log,
    )?;
    folder.write(hlog::FILE, &log)?;
    Ok(())
}

/// Response times by interval of the intended start; messages of all faults together.
fn by_interval(recording: &Recording) -> BTreeMap<(u32, Stage), SparseHistogram> {
    let mut all: BTreeMap<(u32, Stage), SparseHistogram> = BTreeMap::new();
    for (key, cell) in &recording.cells {
        let stages = [
            (Stage::TaskQueued, &cell.task_queued),
            (Stage::FirstChunk, &cell.first_chunk),
            (Stage::Complete, &cell.complete),
            (Stage::Broadcast, &cell.broadcast),
        ];
        for (stage, histogram) in stages {
            all.entry((key.interval, stage))
                .or_default()
                .merge(histogram);
        }
    }
    for (&interval, sessions) in &recording.sessions {
        for stage in Stage::ALL {
            let histogram = &sessions.response[stage.index()];
            all.entry((interval, stage)).or_default().merge(histogram);
        }
    }
    all
}
