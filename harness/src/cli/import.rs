//! This module is `harness import`: a scenario made of what a browser did.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::overrides::quoted;
use super::screen;
use crate::exit::Exit;
use crate::import::{self, HAR_BYTES_MAX, Imported};
use crate::intake::{self, IntakeError};
use crate::plan::{self, Plan};
use crate::scenario::Overrides;

/// Beside a scenario that goes to stdout.
const ACCOUNTS: &str = "users.csv";

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// HTTP archive of a browser session with its WebSocket, as developer tools export it
    har: PathBuf,
    /// What was typed in the recording, to tell messages from other frames [default: what looks like it]
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// File for the scenario, a new one [default: it is printed]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ImportArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let accounts = args
        .out
        .as_deref()
        .map_or_else(|| PathBuf::from(ACCOUNTS), accounts_beside);
    let (imported, _) = import(&args.har, args.message.as_deref(), &accounts)?;
    for note in &imported.notes {
        screen::say(&format!("note: {note}"));
    }
    let Some(path) = &args.out else {
        write!(out, "{}", imported.text)?;
        return Ok(Exit::Pass);
    };
    create(path, &imported.text)?;
    if let Some(account) = &imported.accounts {
        create(&accounts, &format!("account\n{}\n", in_csv(account)))?;
    }
    let shown = quoted(path);
    writeln!(out, "{shown}: made of {}", args.har.display())?;
    writeln!(
        out,
        "try     CHAT_PASSWORD=… harness run {shown} --clients 1 --trace"
    )?;
    Ok(Exit::Pass)
}

/// The scenario of a recording; one that would not compile is no scenario.
fn import(har: &Path, typed: Option<&str>, accounts: &Path) -> Result<(Imported, Plan), Failure> {
    let place = har.display();
    let bytes = intake::bytes(har, HAR_BYTES_MAX);
    let bytes = bytes.map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("{place}: {error}"));
        match error {
            IntakeError::TooLong { .. } => {
                failure.hint("record less: the login and a short chat are enough")
            }
            _ => failure,
        }
    })?;
    let imported = import::import(&bytes, typed, &accounts.to_string_lossy());
    let imported = imported.map_err(|error| {
        let failure = Failure::diagnosed(Exit::Usage, &error);
        failure.about(format!("{place}: {error}"))
    })?;
    match plan::compile("import.toml", &imported.text, &Overrides::default()) {
        Ok(plan) => Ok((imported, plan)),
        Err(problems) => {
            imported.text.lines().for_each(screen::say);
            screen::say(
                "error: what was recorded cannot be said in a scenario as it is; above is what was made of it",
            );
            Err(problems.into())
        }
    }
}

/// The plan of a recording, and who logged in where accounts are not numbered; what of a scenario it needs is said.
pub(super) fn recorded(har: &Path) -> Result<(Plan, Option<String>), Failure> {
    let (imported, mut plan) = import(har, None, Path::new(ACCOUNTS))?;
    // It is not there yet.
    plan.environment.users.file = None;
    let needed = imported.text.split_once("\n[target]\n");
    let needed = needed.map_or("", |(_, rest)| {
        rest.split("\n[[expect]]").next().unwrap_or_default()
    });
    screen::say("what a scenario for it needs, by the recording:");
    screen::say("[target]");
    needed.trim_end().lines().for_each(screen::say);
    for note in &imported.notes {
        screen::say(&format!("note: {note}"));
    }
    Ok((plan, imported.accounts))
}

/// The accounts of a scenario, in a file beside it.
fn accounts_beside(scenario: &Path) -> PathBuf {
    let stem = scenario.file_stem().unwrap_or_default().to_string_lossy();
    scenario.with_file_name(format!("{stem}-{ACCOUNTS}"))
}

fn in_csv(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// Writes a new file; one that is there already stays.
fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let fact = format!("{}: {}", path.display(), intake::reason(&error));
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Failure::new(Exit::Usage, fact).hint("it is not written over: name a new file");
        }
        Failure::new(Exit::Storage, fact)
    })
}
