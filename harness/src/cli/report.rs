//! This module is `harness report`: the reports of a saved run, drawn again.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::{claim, save, screen};
use crate::exit::Exit;
use crate::render::{Format, RenderError, file, terminal};
use crate::result::RunResult;
use crate::result::store::{self, Identity, RunDir, StoreError};

#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// Folder of the run, or its result.json
    run_dir: PathBuf,
    /// What to draw [default: everything but result.json]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    format: Vec<Format>,
    /// Folder for the files, new or empty [default: the folder of the run]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace what another run left in --out, or what is not as the run left it in its own folder
    #[arg(long)]
    overwrite: bool,
    /// End with the exit code of the run, as it was judged
    #[arg(long)]
    exit_code: bool,
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
    let formats = if args.format.is_empty() {
        &Format::DRAWN[..]
    } else {
        &args.format
    };
    let other = args.out.as_deref().filter(|out| !is_same(out, beside));
    let folder = other.unwrap_or(beside);
    let place = if let Some(out) = other {
        Place::Other(claim::look(out, args.overwrite)?.take(identity(&result))?)
    } else {
        let names = save::drawn(formats).collect();
        Place::Own(claim::redraw(beside, names, args.overwrite)?)
    };
    let page = formats.contains(&Format::Html);
    let style = terminal::Style {
        report: page.then(|| folder.join(file::PAGE).display().to_string()),
        color: screen::color(),
        width: screen::width(),
    };
    // First: whatever becomes of the files, the verdict is told.
    let told = out.write_all(terminal::summary(&result, &style).as_bytes());
    let told = told.and_then(|()| out.flush());
    let missing = place.draw(|| save::draw(&result, &RunDir::at(folder), formats));
    save::whole(folder, &missing)?;
    told?;
    Ok(if args.exit_code {
        Exit::of(result.exit_code)
    } else {
        Exit::Pass
    })
}

/// Where the files go.
enum Place {
    /// The folder of the run, where they lie already or did.
    Own(claim::Redrawn),
    Other(claim::Taken),
}

impl Place {
    fn draw(self, draw: impl FnOnce() -> Vec<save::Missing>) -> Vec<save::Missing> {
        match self {
            Self::Own(folder) => {
                let missing = draw();
                folder.done();
                missing
            }
            Self::Other(mut folder) => {
                folder.begin();
                let missing = draw();
                folder.done();
                missing
            }
        }
    }
}

fn identity(result: &RunResult) -> Identity {
    Identity {
        id: result.run.id.clone(),
        started_at: result.run.started_at.clone(),
    }
}

/// Two names of one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let (one, other) = (one.canonicalize(), other.canonicalize());
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
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
