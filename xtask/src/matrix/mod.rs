//! This module is `cargo xtask matrix`: every known failure is caught by the check that names it, and nothing
//! is said where it is absent.
//!
//! **In:** the table in [`row`]. **Out:** a table on the terminal and `reports/matrix.json`:
//! `[{row, defect, scenario, check, caught, clean_pass, seconds}]`.
//!
//! A run that its own checks call invalid says nothing, and is tried again, at most twice. A failure is caught where the run with it on ends with exit 10 or 14 *and* a check that broke names that
//! failure; a scenario passes clean where every run without it ends with exit 0.

mod audit;
mod ended;
mod row;
mod set_up;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use self::ended::{ended, read};
use self::row::{ROWS, Row, SetUp, Way};
use self::set_up::{PASSWORD, Programs, System};
use crate::failure::Failure;
use crate::{demo, nginx, redis, step};

/// Exit codes of a run that found something: a threshold, a broken promise.
const FOUND: [i32; 2] = [10, 14];
/// Exit code of a run that says nothing, because the machine was too busy for it.
const INVALID: i32 = 13;
/// How often such a run is tried.
const TRIES: u8 = 3;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these rows of the table: 1,2,33
    #[arg(long, value_delimiter = ',')]
    rows: Vec<u8>,
    /// Only the rows that continuous integration runs
    #[arg(long)]
    quick: bool,
    /// How often each scenario must pass without a failure
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    clean: u8,
    /// Also write reports/matrix.json, or reports/audits.json; needs all rows
    #[arg(long, conflicts_with_all = ["rows", "quick"])]
    write: bool,
    /// By `harness audit`, which tries all failures on one server, instead of by the scenario made for each; so many
    /// side by side
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", conflicts_with_all = ["quick", "clean"], value_parser = clap::value_parser!(u8).range(1..=8))]
    audit: Option<u8>,
}

/// Builds what is needed and runs the rows that are asked for.
pub(crate) fn command(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    let nginx = nginx::ensure()?;
    demo::build_release()?;
    let programs = programs("release", redis, nginx);
    let good = if let Some(beside) = arguments.audit {
        let (good, entries) = audit::run(&arguments.rows, beside, &programs)?;
        if arguments.write {
            keep("reports/audits.json", entries)?;
        }
        good
    } else {
        run(arguments, &programs)?
    };
    if good {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

fn programs(profile: &str, redis: PathBuf, nginx: Option<PathBuf>) -> Programs {
    let target = step::target(profile);
    Programs {
        harness: target.join("harness"),
        server: target.join("reference-server"),
        redis,
        nginx,
    }
}

/// The quick rows, as part of the tests and with what these built.
pub(crate) fn quick(redis: PathBuf, nginx: Option<PathBuf>) -> Result<(), Failure> {
    let arguments = Arguments {
        rows: Vec::new(),
        quick: true,
        clean: 1,
        write: false,
        audit: None,
    };
    println!("\n=== matrix, quick rows");
    if run(&arguments, &programs("debug", redis, nginx))? {
        return Ok(());
    }
    Err(Failure::Step {
        step: "matrix".to_owned(),
        status: "a failure that was not caught, or a false alarm".to_owned(),
    })
}

/// What came of a run.
struct Seen {
    code: i32,
    /// The checks that broke, with the failures each names.
    broke: Vec<(String, Vec<String>)>,
}

/// `true`: everything caught, and nothing cried wolf.
fn run(arguments: &Arguments, programs: &Programs) -> Result<bool, Failure> {
    let wanted = |row: &&Row| {
        (arguments.rows.is_empty() || arguments.rows.contains(&row.number))
            && (row.quick || !arguments.quick)
    };
    let runs = tempfile::tempdir().map_err(|source| Failure::File {
        path: std::env::temp_dir(),
        source,
    })?;
    let out = runs.path().join("run");
    let matrix = Matrix { programs, out };
    println!(
        "{:>3}  {:<27} {:<17} {:>5}  check",
        "row", "failure", "scenario", "s"
    );
    let mut clean = BTreeMap::new();
    let mut entries = Vec::new();
    for row in ROWS.iter().filter(wanted) {
        let entry = matrix.row(row, &mut clean, arguments.clean)?;
        println!("{}", line(row, &entry));
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(Failure::Step {
            step: "matrix".to_owned(),
            status: format!("no such row; there are 1 to {}", ROWS.len()),
        });
    }
    let count = |key: &str| entries.iter().filter(|entry| entry[key] == true).count();
    let (all, caught, passed) = (entries.len(), count("caught"), count("clean_pass"));
    println!("{caught} of {all} caught by the right check, {passed} of {all} clean passes");
    if arguments.write {
        keep("reports/matrix.json", entries)?;
    }
    Ok(caught == all && passed == all)
}

fn keep(file: &str, entries: Vec<Value>) -> Result<(), Failure> {
    let path = step::root().join(file);
    let text = format!("{:#}\n", Value::from(entries));
    fs::write(&path, text).map_err(|source| Failure::File { path, source })
}

fn line(row: &Row, entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
    let mut verdict = text("check");
    if entry["caught"] != true {
        verdict = format!("NOT CAUGHT: {}", text("instead"));
    }
    if entry["clean_pass"] != true {
        verdict.push_str(" | FALSE ALARM without it");
    }
    let seconds = entry["seconds"].as_f64().unwrap_or(0.0);
    let scenario = text("scenario");
    let (number, name) = (row.number, row.name);
    format!("{number:>3}  {name:<27} {scenario:<17} {seconds:>5.1}  {verdict}")
}

struct Matrix<'a> {
    programs: &'a Programs,
    out: PathBuf,
}

impl Matrix<'_> {
    fn row(
        &self,
        row: &Row,
        clean: &mut BTreeMap<&'static str, bool>,
        repeats: u8,
    ) -> Result<Value, Failure> {
        let begun = Instant::now();
        let (seen, scenario) = match row.way {
            Way::Doctor(set_up) => (self.examine(set_up, true)?, "doctor"),
            Way::Server(scenario) | Way::Client(scenario) | Way::Setting(scenario, _) => {
                (self.scenario(scenario, &failure(row))?, scenario)
            }
        };
        let seconds = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        let clean_pass = match row.way {
            Way::Doctor(set_up) => self.examine(set_up, false)?.code == 0,
            Way::Server(_) | Way::Client(_) | Way::Setting(..) => {
                if !clean.contains_key(scenario) {
                    clean.insert(scenario, self.passes(scenario, repeats)?);
                }
                clean.get(scenario) == Some(&true)
            }
        };
        let named = |(_, known): &&(String, Vec<String>)| known.iter().any(|name| name == row.name);
        let check = seen.broke.iter().find(named);
        let caught = check.is_some() && FOUND.contains(&seen.code);
        let others: Vec<&str> = seen.broke.iter().map(|(check, _)| check.as_str()).collect();
        Ok(json!({
            "row": row.number,
            "defect": row.name,
            "scenario": scenario,
            "check": check.map(|(check, _)| check),
            "caught": caught,
            "clean_pass": clean_pass,
            "seconds": seconds,
            "instead": (!caught).then(|| format!("exit {}, {}", seen.code, others.join(", "))),
        }))
    }

    /// A scenario passes, every time, without a failure.
    fn passes(&self, scenario: &str, repeats: u8) -> Result<bool, Failure> {
        let mut passed = true;
        for _ in 0..repeats {
            passed &= self.scenario(scenario, &[])?.code == 0;
        }
        Ok(passed)
    }

    /// Runs a scenario until it is valid; what broke in it.
    fn scenario(&self, scenario: &str, more: &[String]) -> Result<Seen, Failure> {
        let mut seen = self.once(scenario, more)?;
        for _ in 1..TRIES {
            if seen.code != INVALID {
                break;
            }
            println!("     {scenario}: invalid on this machine, once more");
            seen = self.once(scenario, more)?;
        }
        Ok(seen)
    }

    fn once(&self, scenario: &str, more: &[String]) -> Result<Seen, Failure> {
        drop(fs::remove_dir_all(&self.out));
        let mut harness = Command::new(&self.programs.harness);
        harness
            .args(["run", &format!("scenarios/{scenario}.toml"), "--out"])
            .arg(&self.out)
            .arg("--server")
            .arg(&self.programs.server)
            .args(more)
            .env("REDIS_SERVER", &self.programs.redis);
        let code = ended(harness)?.0;
        let result = read(&self.out.join("result.json"))?;
        let mut broke = Vec::new();
        for list in ["checks", "expectations"] {
            let entries = result[list].as_array().into_iter().flatten();
            broke.extend(
                entries
                    .filter(|entry| entry["status"] == "broke")
                    .map(named),
            );
        }
        Ok(Seen { code, broke })
    }

    /// Has the doctor examine a set-up.
    fn examine(&self, set_up: SetUp, broken: bool) -> Result<Seen, Failure> {
        let system = System::build(set_up, broken, self.programs)?;
        let mut doctor = Command::new(&self.programs.harness);
        doctor
            .args(["doctor", &system.url, "--json"])
            .args(["--password", "${env:CHAT_PASSWORD}"])
            .env("CHAT_PASSWORD", PASSWORD);
        let (code, text) = ended(doctor)?;
        let report: Value = serde_json::from_str(&text).unwrap_or_default();
        let steps = report["steps"].as_array().into_iter().flatten();
        let failed = steps.filter(|step| step["outcome"] == "failed");
        let broke = failed.map(|step| {
            let known = step["failure"]["name"].as_str().map(str::to_owned);
            let name = step["step"].as_str().unwrap_or_default();
            (format!("doctor: {name}"), known.into_iter().collect())
        });
        Ok(Seen {
            code,
            broke: broke.collect(),
        })
    }
}

/// What switches a failure on.
fn failure(row: &Row) -> Vec<String> {
    let set = match row.way {
        Way::Server(_) => format!("environment.server.defects=[\"{}\"]", row.name),
        Way::Client(_) => format!("load.defects=[\"{}\"]", row.name),
        Way::Setting(_, setting) => setting.to_owned(),
        Way::Doctor(_) => return Vec::new(),
    };
    let more = row.more.iter().map(|&argument| argument.to_owned());
    ["--set".to_owned(), set].into_iter().chain(more).collect()
}

/// A check's name and the failures it looks for.
fn named(entry: &Value) -> (String, Vec<String>) {
    let known = entry["known"].as_array().into_iter().flatten();
    let known = known.filter_map(|name| name.as_str().map(str::to_owned));
    let name = entry["name"].as_str().unwrap_or_default().to_owned();
    (name, known.collect())
}
