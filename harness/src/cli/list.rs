//! This module is `harness list`: the scenarios of a folder, their question and their length.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::read;
use crate::exit::Exit;
use crate::intake::reason;
use crate::scenario::{self, Overrides};
use crate::units;

/// Most files that are listed.
const FILES_MAX: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Folder to look in
    #[arg(default_value = "scenarios", value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &ListArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let shown = args.folder.display();
    let unreadable = |error: std::io::Error| {
        let fact = format!("{shown}: cannot be listed: {}", reason(&error));
        Failure::new(Exit::Usage, fact)
            .hint("name the folder that holds the scenarios: harness list DIR")
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&args.folder)
        .map_err(unreadable)?
        .take(FILES_MAX)
    {
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
        let shown = path.to_string_lossy();
        // One that names a protocol which cannot be read is a scenario with a problem.
        let usual = Overrides::default();
        let overrides = read::with_protocol(path, &text, &usual).unwrap_or(usual);
        let row = match crate::plan::compile(&shown, &text, &overrides) {
            Ok(plan) => [name, units::print_us(plan.load.load_us()), plan.question],
            Err(problems) => {
                let question = scenario::question(&text);
                let what = format!(
                    "{} problems (see harness check). {question}",
                    problems.count()
                );
                [name, "-".to_owned(), what]
            }
        };
        rows.push(row);
    }
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
