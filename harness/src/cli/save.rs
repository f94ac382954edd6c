//! This module writes what a run leaves behind.
//!
//! **In:** a finished run and its folder. **Out:** `result.json` first, then everything drawn from
//! it, the plan and the latency log: each file by itself, so that one that cannot be written takes no other with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use super::overrides::quoted;
use crate::exit::Exit;
use crate::plan::print;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::Recording;
use crate::render::{Format, file, hlog};
use crate::result::RunResult;
use crate::result::store::{RESULT_FILE, RunDir};
use crate::run::Finished;
use crate::stage::Stage;

/// Short, and most asked for: a disk may fill.
const FIRST: [Format; 3] = [Format::Json, Format::Md, Format::Junit];

/// A file of a run that is not there, and why.
#[derive(Debug)]
pub(super) struct Missing {
    file: &'static str,
    fact: String,
    exit: Exit,
}

impl Missing {
    fn new(file: &'static str, failure: &Failure) -> Self {
        Self {
            file,
            fact: failure.to_string(),
            exit: failure.exit(),
        }
    }
}

/// The names of the files of a run, its logs left out.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    drawn(&[Format::Json])
        .chain(drawn(&Format::DRAWN))
        .chain([file::LATENCIES, file::PLAN])
}

/// The names of the files of these formats.
pub(super) fn drawn(formats: &[Format]) -> impl Iterator<Item = &'static str> {
    let renderers = formats.iter().flat_map(|format| format.renderers());
    renderers.map(|renderer| renderer.file())
}

/// Draws the result into the folder, each file by itself; `latency.hlog` is of the run and stays as it is.
pub(super) fn draw(result: &RunResult, folder: &RunDir, formats: &[Format]) -> Vec<Missing> {
    let renderers = formats.iter().flat_map(|format| format.renderers());
    let missing = renderers.filter_map(|renderer| {
        let drawn = renderer.render(result).map_err(Failure::from);
        let written = drawn.and_then(|bytes| Ok(folder.write(renderer.file(), &bytes)?));
        let failure = written.err()?;
        Some(Missing::new(renderer.file(), &failure))
    });
    missing.collect()
}

/// Writes every file of a run, each by itself; those that are missing afterwards.
pub(super) fn all(finished: &Finished, folder: &RunDir) -> Vec<Missing> {
    let result = &finished.result;
    let mut missing = draw(result, folder, &FIRST);
    let others = Format::DRAWN.into_iter();
    let others: Vec<Format> = others.filter(|format| !FIRST.contains(format)).collect();
    missing.extend(draw(result, folder, &others));
    let plan = folder.write(file::PLAN, print::to_toml(&result.plan).as_bytes());
    let latencies = latencies(finished, folder);
    for (file, written) in [
        (file::PLAN, plan.map_err(Failure::from)),
        (file::LATENCIES, latencies),
    ] {
        missing.extend(written.err().map(|failure| Missing::new(file, &failure)));
    }
    missing
}

fn latencies(finished: &Finished, folder: &RunDir) -> Result<(), Failure> {
    let by_interval = by_interval(&finished.facts.recording);
    let length_us = finished.result.plan.interval_us;
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
    Ok(folder.write(file::LATENCIES, &log)?)
}

/// A failure that names every file that is missing, and what can still be done.
pub(super) fn whole(folder: &Path, missing: &[Missing]) -> Result<(), Failure> {
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let facts: Vec<&str> = missing.iter().map(|file| file.fact.as_str()).collect();
    let hint = if missing.iter().any(|missing| missing.file == RESULT_FILE) {
        "all that is kept of the run stands above and in the files that are there: \
         make room or name another folder with --out, and run it again"
            .to_owned()
    } else {
        let folder = quoted(folder);
        format!(
            "the verdict above stands, and so does result.json: make room, then draw the rest with `harness report {folder}`"
        )
    };
    let bug = missing.iter().find(|missing| missing.exit == Exit::Bug);
    let exit = bug.unwrap_or(first).exit;
    Err(Failure::new(exit, facts.join("\nerror: ")).hint(hint))
}

/// Response times by interval of the intended start; messages of all faults together.
fn by_interval(recording: &Recording) -> BTreeMap<(u32, Stage), SparseHistogram> {
    let mut all: BTreeMap<(u32, Stage), SparseHistogram> = BTreeMap::new();
    for (key, cell) in &recording.cells {
        let stages = [
            (Stage::TaskQueued, &cell.task_queued),
            (Stage::FirstChunk, &cell.first_chunk),
            (Stage::Complete, &cell.complete),
            (Stage::FanOut, &cell.fan_out),
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
