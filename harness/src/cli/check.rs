//! This module is `harness check`: every problem of every file.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{list, read};
use crate::environment::{Accounts, Secret};
use crate::exit::Exit;
use crate::format;
use crate::plan::Plan;
use crate::scenario::Overrides;
use crate::scenario::problem::{Place, Problem, Problems};
use crate::units;

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Scenario files, and folders of them
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Print a JSON list instead: for each file whether it can be run, and its problems with line, key, fact and hint
    #[arg(long)]
    json: bool,
}

/// A file, as programs want it.
#[derive(Serialize)]
struct Checked {
    file: String,
    ok: bool,
    problems: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    /// From 1; absent: it did not come from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// The protocol that the line is of, where it is not the scenario's.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    key: String,
    fact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let mut files = Vec::new();
    for path in &args.scenarios {
        if path.is_dir() {
            files.extend(list::files(path)?);
        } else {
            files.push(path.clone());
        }
    }
    let failed = if args.json {
        as_json(&files, out)?
    } else {
        as_lines(&files, out)?
    };
    Ok(if failed == 0 { Exit::Pass } else { Exit::Usage })
}

fn as_lines(files: &[PathBuf], out: &mut impl Write) -> Result<usize, Failure> {
    let mut failed = 0_usize;
    for path in files {
        match whole(path) {
            Ok(plan) => writeln!(out, "{}: ok ({})", path.display(), about(&plan))?,
            Err(failure) => {
                failed += 1;
                out.flush()?;
                failure.write(&mut std::io::stderr().lock())?;
            }
        }
    }
    if failed > 0 {
        writeln!(out, "{failed} of {} scenarios cannot be run", files.len())?;
    }
    Ok(failed)
}

fn about(plan: &Plan) -> String {
    let clients = format::count(u64::from(plan.load.clients));
    let length = units::print_us(plan.load.load_us());
    format!("{clients} clients, {length}, faults: {}", plan.faults.len())
}

fn as_json(files: &[PathBuf], out: &mut impl Write) -> Result<usize, Failure> {
    let checked: Vec<Checked> = files.iter().map(|path| checked(path)).collect();
    let text = serde_json::to_string_pretty(&checked).map_err(std::io::Error::other)?;
    writeln!(out, "{text}")?;
    Ok(checked.iter().filter(|checked| !checked.ok).count())
}

fn checked(path: &Path) -> Checked {
    let problems = match whole(path) {
        Ok(_) => Vec::new(),
        Err(Failure::Problems(files)) => files.iter().flat_map(Problems::iter).map(told).collect(),
        // It cannot be read at all.
        Err(Failure::Message { fact, hint, .. }) => vec![Told {
            line: None,
            protocol: None,
            key: String::new(),
            fact,
            hint,
        }],
    };
    Checked {
        file: path.display().to_string(),
        ok: problems.is_empty(),
        problems,
    }
}

fn told(problem: &Problem) -> Told {
    let (line, protocol) = match &problem.at {
        Place::Line(line) => (Some(*line), None),
        Place::Flag(_) => (None, None),
        Place::Protocol(name, line) => (Some(*line), Some(name.to_string())),
    };
    Told {
        line,
        protocol,
        key: problem.field.clone(),
        fact: problem.fact.clone(),
        hint: problem.hint.clone(),
    }
}

/// The plan, where its accounts can be read too.
fn whole(path: &Path) -> Result<Plan, Failure> {
    let plan = read::plan(path, &Overrides::default())?;
    let accounts = Accounts::of(&plan, &Secret::new(String::new()));
    accounts.map_err(|error| Failure::diagnosed(Exit::Usage, &error))?;
    Ok(plan)
}
