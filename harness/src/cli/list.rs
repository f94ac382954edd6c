//! This module is `harness list`: the scenarios of a folder, their question and their length.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::read;
use crate::exit::Exit;
use crate::intake::reason;
use crate::scenario::shipped::SHIPPED;
use crate::scenario::{self, Overrides};
use crate::units;

/// Most files that are listed.
const FILES_MAX: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Folder to look in [default: scenarios, or what ships where there is no such folder]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print a JSON list instead
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let usual = Path::new("scenarios");
    let rows = match args.folder.as_deref() {
        None if !usual.exists() => SHIPPED
            .iter()
            .map(|(name, text)| row((*name).to_owned(), Path::new(name), text))
            .collect(),
        folder => of_folder(folder.unwrap_or(usual))?,
    };
    if args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(io::Error::other)?;
        writeln!(out, "{text}")?;
        return Ok(Exit::Pass);
    }
    let rows: Vec<[String; 3]> = rows.iter().map(Row::cells).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (names, lengths) = (width(0), width(1));
    for [name, length, question] in &rows {
        writeln!(out, "{name:names$}  {length:>lengths$}  {question}")?;
    }
    Ok(Exit::Pass)
}

/// The scenarios of a folder, in order.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let shown = folder.display();
    let unreadable = |error: io::Error| {
        let fact = format!("{shown}: cannot be listed: {}", reason(&error));
        Failure::new(Exit::Usage, fact)
            .hint("name the folder that holds the scenarios: harness list DIR")
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.take(FILES_MAX) {
        let path = entry.map_err(unreadable)?.path();
        let is_scenario = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        // A pipe that is called so is none: reading it would wait for ever.
        if is_scenario && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(
            Failure::new(Exit::Usage, format!("{shown}: holds no scenario"))
                .hint("a scenario is a file that ends in .toml"),
        );
    }
    Ok(files)
}

/// The scenarios of a folder.
fn of_folder(folder: &Path) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let text = read::text(&path)?;
        rows.push(row(name, &path, &text));
    }
    Ok(rows)
}

fn row(name: String, path: &Path, text: &str) -> Row {
    let shown = path.to_string_lossy();
    // One that names a protocol which cannot be read is a scenario with a problem.
    let usual = Overrides::default();
    let overrides = read::with_files(path, text, &usual).unwrap_or(usual);
    match crate::plan::compile(&shown, text, &overrides) {
        Ok(plan) => Row {
            name,
            load_us: Some(plan.load.load_us()),
            question: plan.question,
            problems: 0,
        },
        Err(problems) => Row {
            name,
            load_us: None,
            question: scenario::question(text),
            problems: problems.count(),
        },
    }
}

/// A scenario in a list.
#[derive(Serialize)]
struct Row {
    name: String,
    /// Length of its load; `None`: it cannot be run.
    load_us: Option<u64>,
    question: String,
    problems: usize,
}

impl Row {
    fn cells(&self) -> [String; 3] {
        let length = self.load_us.map_or_else(|| "-".to_owned(), units::print_us);
        let question = match self.problems {
            0 => self.question.clone(),
            count => format!("{count} problems (see harness check). {}", self.question),
        };
        [self.name.clone(), length, question]
    }
}
