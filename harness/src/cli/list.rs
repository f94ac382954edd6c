//! This module is `harness list`: the scenarios of a folder, their question and their length.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

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

/// The scenarios of a folder: name, length, question.
fn of_folder(folder: &Path) -> Result<Vec<[String; 3]>, Failure> {
    let shown = folder.display();
    let unreadable = |error: std::io::Error| {
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
    let mut rows = Vec::new();
    for path in &files {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = read::text(path)?;
        rows.push(row(name, path, &text));
    }
    Ok(rows)
}

fn row(name: String, path: &Path, text: &str) -> [String; 3] {
    let shown = path.to_string_lossy();
    // One that names a protocol which cannot be read is a scenario with a problem.
    let usual = Overrides::default();
    let overrides = read::with_protocol(path, text, &usual).unwrap_or(usual);
    match crate::plan::compile(&shown, text, &overrides) {
        Ok(plan) => [name, units::print_us(plan.load.load_us()), plan.question],
        Err(problems) => {
            let question = scenario::question(text);
            let what = format!(
                "{} problems (see harness check). {question}",
                problems.count()
            );
            [name, "-".to_owned(), what]
        }
    }
}
