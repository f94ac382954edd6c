//! This module is `cargo xtask matrix --audit`: what `harness audit` says of a server that has one known failure, for each, and of
//! one that has none.
//!
//! **In:** the table in [`row`](super::row). **Out:** a table on the terminal and, with `--write`, `reports/audits.json`:
//! `[{row, defect, verdict, alone, others, seconds}]`. A row is caught where the audit says `broke`; it is alone where every other
//! row that broke is named as its consequence. Failures of clients are no server's: the audit says so.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::ended::{ended, read};
use super::row::{ROWS, Row, SetUp, Way};
use super::set_up::{PASSWORD, Programs, System};
use crate::failure::Failure;

/// The scenario whose environment is audited.
const SCENARIO: &str = "scenarios/smoke.toml";
/// Share of answers that a failure of some strikes.
const SOME: &str = "=0.1";

/// Audits every row that is asked for (none: all), and the server in good order, `beside` at once. `true`: all as it must be.
pub(super) fn run(
    rows: &[u8],
    beside: u8,
    programs: &Programs,
) -> Result<(bool, Vec<Value>), Failure> {
    let wanted = |row: &&Row| rows.is_empty() || rows.contains(&row.number);
    let asked: VecDeque<Option<&Row>> = std::iter::once(None)
        .chain(ROWS.iter().filter(wanted).map(Some))
        .collect();
    let folder = tempfile::tempdir().map_err(|source| Failure::File {
        path: std::env::temp_dir(),
        source,
    })?;
    println!("{:>3}  {:<27} {:>5}  verdict", "row", "failure", "s");
    let (queue, done) = (Mutex::new(asked), Mutex::new(Vec::new()));
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..beside {
            scope.spawn(|| {
                while let Some(row) = next() {
                    let name = row.map_or("none", |row| row.name);
                    let entry = audited(row, programs, &folder.path().join(name));
                    if let Ok(entry) = &entry {
                        println!("{}", line(entry));
                    }
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(entry);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut entries = done.into_iter().collect::<Result<Vec<Value>, Failure>>()?;
    entries.sort_by_key(|entry| entry["row"].as_u64());
    let good = entries.iter().filter(|entry| entry["good"] == true).count();
    println!("{good} of {} audits as they must be", entries.len());
    Ok((good == entries.len(), entries))
}

/// One audit; of no row, the server has no failure.
fn audited(row: Option<&Row>, programs: &Programs, out: &Path) -> Result<Value, Failure> {
    let begun = Instant::now();
    let system = match row.map(|row| row.way) {
        Some(Way::Doctor(set_up)) => Some(System::build(set_up, true, programs)?),
        _ => None,
    };
    let mut command = Command::new(&programs.harness);
    command
        .args(["audit", SCENARIO, "--quiet", "--out"])
        .arg(out)
        .arg("--server")
        .arg(&programs.server)
        .args(row.map(failure).unwrap_or_default())
        .env("REDIS_SERVER", &programs.redis)
        .env("CHAT_PASSWORD", PASSWORD);
    if let Some(system) = &system {
        command.args(["--target", &system.url]);
        command.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"]);
        // What is wrong shows at the door, or in whether anything is answered.
        command.args(["--only", "rules"]);
    }
    let code = ended(command)?.0;
    let audit = read(&out.join("audit.json"))?;
    let rows = audit["rows"].as_array().cloned().unwrap_or_default();
    let of = |verdict: &str| -> Vec<&Value> {
        rows.iter()
            .filter(|row| row["verdict"] == verdict)
            .collect()
    };
    let name = row.map_or("none", |row| row.name);
    let mine = rows.iter().find(|row| row["name"] == name);
    let verdict = mine.map(|row| row["verdict"].clone());
    let others: Vec<&Value> = of("broke")
        .into_iter()
        .filter(|row| row["name"] != name)
        .collect();
    let alone = others.iter().all(|row| {
        let causes = row["follows_from"].as_array().into_iter().flatten();
        causes.into_iter().any(|cause| cause == name)
    });
    let unclear = of("inconclusive").len();
    let good = match row.map(|row| row.way) {
        None => code == 0 && rows.len() == ROWS.len() && unclear == 0,
        Some(Way::Client(_)) => verdict == Some(json!("untried")) && others.is_empty(),
        Some(_) => verdict == Some(json!("broke")) && alone,
    };
    let named = |row: &&Value| row["name"].as_str().unwrap_or_default().to_owned();
    Ok(json!({
        "row": row.map_or(0, |row| row.number),
        "defect": name,
        "verdict": verdict,
        "alone": alone,
        "others": others.iter().map(named).collect::<Vec<String>>(),
        "inconclusive": unclear,
        "exit_code": code,
        "good": good,
        "seconds": (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    }))
}

fn line(entry: &Value) -> String {
    let verdict = entry["verdict"].as_str().unwrap_or("-");
    let others: Vec<&str> = entry["others"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        let word = if entry["alone"] == true {
            "and, following from it"
        } else {
            "AND"
        };
        format!(" {word}: {}", others.join(", "))
    };
    let mark = if entry["good"] == true { "" } else { "WRONG: " };
    let (row, defect) = (&entry["row"], entry["defect"].as_str().unwrap_or_default());
    let seconds = entry["seconds"].as_f64().unwrap_or(0.0);
    let unclear = entry["inconclusive"].as_u64().unwrap_or(0);
    format!(
        "{row:>3}  {defect:<27} {seconds:>5.1}  {mark}{verdict}{others}; {unclear} inconclusive, exit {}",
        entry["exit_code"]
    )
}

/// What switches a failure on.
fn failure(row: &Row) -> Vec<String> {
    /// Failures that strike some answers.
    const SOMETIMES: [&str; 3] = ["chunk-reorder", "complete-missing", "wrong-conversation"];
    let share = if SOMETIMES.contains(&row.name) {
        SOME
    } else {
        ""
    };
    match row.way {
        Way::Server(_) => vec!["--defect".to_owned(), format!("{}{share}", row.name)],
        Way::Setting(_, setting) => vec!["--set".to_owned(), setting.to_owned()],
        Way::Client(_) => vec![
            "--set".to_owned(),
            format!("load.defects=[\"{}\"]", row.name),
        ],
        Way::Doctor(SetUp::Redis | SetUp::Nginx | SetUp::Other | SetUp::Scheme) => Vec::new(),
    }
}
