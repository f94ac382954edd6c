//! This module tells a comparison: on the terminal, in files, and to the CI system around it.
//!
//! **In:** a decision. **Out:** text on stdout; files in `--out`; annotations where GitHub runs us (`GITHUB_ACTIONS`), and the
//! summary of its job (`GITHUB_STEP_SUMMARY`). The answer is told before it is kept.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::screen;
use crate::exit::Exit;
use crate::gate::comparison::{Decision, SCHEMA};
use crate::gate::facts::RunFacts;
use crate::gate::input::{self, InputError};
use crate::intake::{self, reason};
use crate::render::gate::{Artifact, annotation, markdown, terminal};
use crate::render::terminal::Style;
use crate::result::store::RunDir;

/// Largest `gate.json` of before that is looked at.
const BYTES_MAX: u64 = 64 << 20;
/// Named sides longer than this are told by their number.
const NAMED_MAX: usize = 2;

#[derive(Args, Debug)]
pub(super) struct OutArgs {
    /// Folder for the files, new, empty or of an earlier comparison [default: none are written]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which files [default: all of them]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', requires = "out")]
    format: Vec<Artifact>,
}

impl OutArgs {
    /// All files, in this folder.
    pub(super) fn at(folder: PathBuf) -> Self {
        Self {
            out: Some(folder),
            format: Vec::new(),
        }
    }
}

/// The runs of a side that the command line named.
pub(super) fn runs(named: &[PathBuf]) -> Result<Vec<RunFacts>, Failure> {
    Ok(input::runs(named)?)
}

/// What a side is called: by its folder, or by how many there are.
pub(super) fn name(named: &[PathBuf]) -> String {
    if named.len() <= NAMED_MAX {
        let names = named.iter().map(|path| path.display().to_string());
        return names.collect::<Vec<_>>().join(", ");
    }
    let first = named.first().map(|path| path.display().to_string());
    let more = named.len() - 1;
    format!("{} and {more} more", first.unwrap_or_default())
}

/// Tells it, and keeps it where that was asked for. `all`: also the metrics that decide nothing.
pub(super) fn tell(
    decision: &Decision,
    args: &OutArgs,
    all: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let formats = if args.format.is_empty() {
        &Artifact::ALL[..]
    } else {
        &args.format
    };
    if let Some(folder) = &args.out {
        claim(folder, Artifact::Json.file(), SCHEMA)?;
    }
    let page = args
        .out
        .as_ref()
        .filter(|_| formats.contains(&Artifact::Html));
    let style = Style {
        color: screen::color(),
        width: screen::width(),
        report: page.map(|folder| folder.join(Artifact::Html.file()).display().to_string()),
    };
    let told = out.write_all(terminal::text(decision, &style, all).as_bytes());
    if set("GITHUB_ACTIONS") {
        out.write_all(annotation::text(decision).as_bytes())?;
    }
    out.flush()?;
    if let Some(folder) = &args.out {
        keep(decision, folder, formats)?;
    }
    summarize(decision)?;
    Ok(told?)
}

fn set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// A folder that may be written to: new, empty, or with an earlier account in it: a file of that name, in that format.
pub(super) fn claim(folder: &Path, account: &str, schema: &str) -> Result<(), Failure> {
    let shown = folder.display();
    let failed = |error: std::io::Error| {
        let fact = format!("{shown}: cannot be used: {}", reason(&error));
        Failure::new(Exit::Storage, fact).hint("name a folder that can be written to, with --out")
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let is_empty = fs::read_dir(folder).map_err(failed)?.next().is_none();
    if is_empty || is_ours(&folder.join(account), schema) {
        return Ok(());
    }
    let fact = format!("{shown}: holds something else than an earlier {account}");
    Err(Failure::new(Exit::Usage, fact).hint("name a folder that is new or empty, with --out"))
}

fn is_ours(file: &Path, schema: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let bytes = intake::bytes(file, BYTES_MAX).unwrap_or_default();
    let head: Option<Head> = serde_json::from_slice(&bytes).ok();
    let family = schema.split('/').next().unwrap_or(schema);
    head.is_some_and(|head| head.schema.split('/').next() == Some(family))
}

/// Every file by itself: one that cannot be written takes no other with it. `gate.json` first: it claims the folder.
fn keep(decision: &Decision, folder: &Path, formats: &[Artifact]) -> Result<(), Failure> {
    let place = RunDir::at(folder);
    let mut first = None;
    let mut all: Vec<Artifact> = vec![Artifact::Json];
    all.extend(formats.iter().filter(|format| **format != Artifact::Json));
    for artifact in all {
        let drawn = artifact.render(decision).map_err(Failure::from);
        let written = drawn.and_then(|bytes| Ok(place.write(artifact.file(), &bytes)?));
        first = first.or(written.err());
    }
    first.map_or(Ok(()), Err)
}

/// Adds to the summary of a job of GitHub Actions, where there is one.
fn summarize(decision: &Decision) -> Result<(), Failure> {
    const VARIABLE: &str = "GITHUB_STEP_SUMMARY";
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let failed = |error: std::io::Error| {
        let fact = format!("{}: cannot be written: {}", path.display(), reason(&error));
        Failure::new(Exit::Storage, fact).hint(format!("{VARIABLE} names it"))
    };
    // A pipe there would be waited for; a folder is no file.
    if path.exists() && !path.is_file() {
        return Err(failed(ErrorKind::InvalidInput.into()));
    }
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    let text = markdown::text(decision);
    file.write_all(format!("{text}\n").as_bytes())
        .map_err(failed)
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let exit = match error {
            InputError::Pattern { .. } => Exit::Usage,
            InputError::Store(_)
            | InputError::Baseline(_)
            | InputError::List { .. }
            | InputError::Empty(_)
            | InputError::NoMatch(_)
            | InputError::TooMany => Exit::Storage,
        };
        Self::new(exit, error.to_string()).hint(error.hint())
    }
}
