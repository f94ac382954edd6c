//! This module is `harness report`: the reports of a saved run, drawn again.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use super::screen;
use crate::render::{Format, RenderError, terminal};
use crate::result::RunResult;
use crate::result::store::{RunDir, StoreError};

#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// Folder of the run: the one that holds result.json
    run_dir: PathBuf,
    /// What to draw [default: everything but result.json]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    format: Vec<Format>,
    /// Folder for the files [default: the folder of the run]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let result = RunDir::at(&args.run_dir).read()?;
    let folder = RunDir::create(args.out.as_ref().unwrap_or(&args.run_dir))?;
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
