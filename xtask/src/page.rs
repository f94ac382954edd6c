//! This module is `cargo xtask page`: the report's page in a real browser, held to the result that it was drawn from.
//!
//! **In:** folders of runs; without one the saved runs of the tests and the example. **Out:** what is wrong, and pictures of each
//! page (light, dark, three widths, print) in `target/page/`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use crate::browser::Chromium;
use crate::failure::Failure;
use crate::step;

const SCRIPT: &str = "xtask/page/check.py";
/// Saved runs of every verdict.
const SAVED: &str = "harness/tests/it/fixtures/runs";
const STORIES: [&str; 4] = ["pass", "inconclusive", "interrupted", "invalid"];
const EXAMPLE: &str = "reports/example";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folders of runs; the saved runs of the tests without one
    runs: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let chromium = Chromium::ensure()?;
    step::run(
        "build the harness",
        &mut step::cargo(&["build", "-p", "harness"]),
    )?;
    let runs = if arguments.runs.is_empty() {
        let saved = STORIES.map(|story| step::root().join(SAVED).join(story));
        let example = step::root().join(EXAMPLE);
        saved.into_iter().chain([example]).collect()
    } else {
        arguments.runs.clone()
    };
    let mut all_good = true;
    for run in &runs {
        all_good &= check(&chromium, run)?;
    }
    Ok(ExitCode::from(u8::from(!all_good)))
}

/// Draws the page anew and looks at it.
fn check(chromium: &Chromium, run: &Path) -> Result<bool, Failure> {
    let name = run.file_name().unwrap_or(run.as_os_str());
    let shots = step::target("page").join(name);
    let drawn = shots.join("drawn");
    let mut report = Command::new(step::target("debug").join("harness"));
    report
        .args(["report", "--format", "html", "--overwrite", "--out"])
        .arg(&drawn)
        .arg(run);
    step::run("harness report", &mut report)?;
    let mut script = chromium.script(&step::root().join(SCRIPT));
    script
        .arg(drawn.join("report.html"))
        .arg(run.join("result.json"))
        .arg(&shots);
    let what = format!("the page of {}", name.display());
    step::status(&what, &mut script).map(|ended| ended.success())
}
