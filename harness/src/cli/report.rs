//! This module is `harness report`: the reports of a saved run, drawn again.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Exit, Failure};
use super::screen;
use crate::render::{Format, RenderError, terminal};
use crate::result::RunResult;
use crate::result::store::{self, RunDir, StoreError};

#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// Folder of the run, or its result.json
    run_dir: PathBuf,
    /// What to draw [default: everything but result.json]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    format: Vec<Format>,
    /// Folder for the files [default: the folder of the run]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let (result, beside) = if args.run_dir.is_file() {
        let beside = args.run_dir.parent().unwrap_or(Path::new("."));
        (store::read(&args.run_dir)?, beside)
    } else {
        (RunDir::at(&args.run_dir).read()?, args.run_dir.as_path())
    };
    // The parent of a bare name is no name at all.
    let beside = if beside.as_os_str().is_empty() {
        Path::new(".")
    } else {
        beside
    };
    let folder = RunDir::create(args.out.as_deref().unwrap_or(beside))?;
    let formats = if args.format.is_empty() {
        &Format::DRAWN[..]
    } else {
        &args.format
    };
    draw(&result, &folder, formats)?;
    let page = formats.contains(&Format::Html);
    let style = terminal::Style {
        report: page.then(|| folder.file("report.html").display().to_string()),
        color: screen::color(),
        width: screen::width(),
    };
    out.write_all(terminal::summary(&result, &style).as_bytes())?;
    Ok(Exit::Pass)
}

/// Draws the result into the folder; `latency.hlog` is of the run itself and stays as it is.
pub(super) fn draw(result: &RunResult, folder: &RunDir, formats: &[Format]) -> Result<(), Failure> {
    for renderer in formats.iter().flat_map(|format| format.renderers()) {
        folder.write(renderer.file(), &renderer.render(result)?)?;
    }
    Ok(())
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Storage, error.to_string()).hint(error.hint())
    }
}

/// A saved result can always be drawn; where it cannot, the harness is wrong.
impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        let cause = std::error::Error::source(&error);
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        Self::new(Exit::Bug, format!("{error}{cause}"))
    }
}
