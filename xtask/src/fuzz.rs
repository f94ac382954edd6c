//! This module is `cargo xtask fuzz`: everything that reads what others wrote, fed what nobody wrote.
//!
//! **In:** the targets of `fuzz/`, how long. **Out:** one table; an error with the file that does it where an
//! input panicked, hung or took too much memory.
//!
//! **Method.** libFuzzer, guided by coverage, on the toolchain of the project: its counters are a pass of LLVM
//! that needs no sanitizer and so no nightly. Built once, with counters in the libraries as well; then all
//! targets run side by side. What is new goes to `target/fuzz/corpus/`, what is kept lies in `fuzz/corpus/`.
//! [`minute`] is the same without counters, on the binaries of the tests, for continuous integration.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::failure::Failure;
use crate::step;

const MANIFEST: &str = "fuzz/Cargo.toml";
const TARGETS: [&str; 7] = [
    "server-http",
    "server-frames",
    "proxy-api",
    "client",
    "scenario",
    "import",
    "result",
];
/// Counters at every edge, and what is compared with what: as cargo-fuzz builds without a sanitizer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";
/// One input may take so long.
const INPUT_S: u64 = 20;
/// And a target so much.
const MEMORY_MIB: u64 = 1_024;
const INPUT_BYTES: u64 = 16_384;
/// How long past its time a target is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
/// What each target is given in continuous integration.
const MINUTE: &str = "60";

#[derive(Args)]
pub(crate) struct Arguments {
    /// How long
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=10_080))]
    minutes: u64,
    /// Which ones; all of them where none is named
    #[arg(value_parser = TARGETS)]
    targets: Vec<String>,
}

/// One target at work.
struct Running {
    name: String,
    child: Child,
    log: PathBuf,
    found: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    compiler()?;
    let programs = build()?;
    let names = match &arguments.targets[..] {
        [] => TARGETS.map(str::to_owned).to_vec(),
        named => named.to_vec(),
    };
    let seconds = arguments.minutes * 60;
    println!(
        "\n=== {} targets side by side for {} min",
        names.len(),
        arguments.minutes
    );
    let start = |name: &String| start(name, &programs.join(name), seconds);
    let mut running = names.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let latest = Instant::now() + Duration::from_secs(seconds) + PATIENCE;
    println!(
        "{:<14}{:>12}{:>9}{:>8}{:>8}{:>10}{:>10}{:>10}  found",
        "target", "executions", "exec/s", "edges", "new", "MiB then", "MiB now", "MiB peak"
    );
    let mut found = Vec::new();
    for target in &mut running {
        let end = wait(target, latest)?;
        let figures = Figures::of(&read(&target.log)?);
        let inputs = files(&target.found);
        println!("{:<14}{figures}  {}", target.name, inputs.len());
        for input in &inputs {
            let repeat = format!(
                "{} {}",
                programs.join(&target.name).display(),
                input.display()
            );
            found.push(format!(
                "{}: {}\n repeat it: {repeat}",
                target.name,
                input.display()
            ));
        }
        if let (true, Some(end)) = (inputs.is_empty(), end) {
            found.push(format!(
                "{}: {end}: see {}",
                target.name,
                target.log.display()
            ));
        }
    }
    if found.is_empty() {
        println!("\nnothing was found; inputs with new coverage are in target/fuzz/corpus");
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Found { found })
}

/// libFuzzer is C++.
fn compiler() -> Result<(), Failure> {
    let given = std::env::var("CXX").ok();
    let compiler = given.as_deref().unwrap_or("c++");
    let mut asked = Command::new(compiler);
    asked.arg("--version").stdout(Stdio::null());
    if asked
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        return Ok(());
    }
    Err(Failure::Missing {
        programs: &["c++", "g++", "clang++"],
        variable: "CXX",
        why: "libFuzzer is built from source".to_owned(),
        remedy: "apt-get install g++".to_owned(),
    })
}

/// Builds all targets; answers where they are.
fn build() -> Result<PathBuf, Failure> {
    let triple = triple()?;
    let folder = step::target("fuzz");
    // With a target named, build scripts and macros go without counters, which nobody would link.
    let mut cargo = step::cargo(&["build", "--release", "--manifest-path", MANIFEST]);
    cargo
        .args(["--target", &triple, "--target-dir"])
        .arg(&folder)
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    step::run("fuzz targets, with counters", &mut cargo)?;
    Ok(folder.join(triple).join("release"))
}

/// What rustc builds for here.
fn triple() -> Result<String, Failure> {
    let mut rustc = Command::new("rustc");
    let told = rustc.arg("-vV").output().map_err(|source| Failure::Start {
        program: "rustc".to_owned(),
        source,
    })?;
    let told = String::from_utf8_lossy(&told.stdout);
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.unwrap_or("x86_64-unknown-linux-gnu").to_owned())
}

fn start(name: &str, program: &Path, seconds: u64) -> Result<Running, Failure> {
    let folder = |what: &str| -> Result<PathBuf, Failure> {
        let path = step::target("fuzz").join(what).join(name);
        fs::create_dir_all(&path).map_err(file_failure(&path))?;
        Ok(path)
    };
    let (corpus, found, logs) = (folder("corpus")?, folder("found")?, folder("log")?);
    for old in files(&found) {
        fs::remove_file(&old).map_err(file_failure(&old))?;
    }
    let log = logs.join("last");
    let output = File::create(&log).map_err(file_failure(&log))?;
    let mut command = Command::new(program);
    command
        .arg(&corpus)
        .arg(step::root().join("fuzz/corpus").join(name))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .args(["-print_final_stats=1", "-detect_leaks=0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output);
    let child = command.spawn().map_err(|source| Failure::Start {
        program: program.display().to_string(),
        source,
    })?;
    Ok(Running {
        name: name.to_owned(),
        child,
        log,
        found,
    })
}

/// How it ended, if not well and in time.
fn wait(target: &mut Running, latest: Instant) -> Result<Option<String>, Failure> {
    let failed = |source| Failure::Start {
        program: target.name.clone(),
        source,
    };
    loop {
        if let Some(status) = target.child.try_wait().map_err(failed)? {
            return Ok((!status.success()).then(|| status.to_string()));
        }
        if Instant::now() > latest {
            target.child.kill().map_err(failed)?;
            target.child.wait().map_err(failed)?;
            return Ok(Some("it did not end in time".to_owned()));
        }
        sleep(Duration::from_millis(200));
    }
}

/// What libFuzzer says about its work.
struct Figures([String; 7]);

impl Figures {
    fn of(log: &str) -> Self {
        let statistic = |name: &str| {
            let line = log.lines().find_map(|line| line.strip_prefix(name));
            line.map_or("–", |line| line.trim_start_matches(':').trim())
                .to_owned()
        };
        // `#1234 NEW cov: 567 ft: 890 corp: 12/3Kb … exec/s: 45 rss: 67Mb …`
        let lines = || {
            log.lines()
                .filter(|line| line.starts_with('#') && line.contains(" cov: "))
        };
        let value = |line: Option<&str>, name: &str| {
            let after = line
                .and_then(|line| line.split_once(name))
                .map(|(_, rest)| rest);
            let digits = after.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
            digits
                .flatten()
                .and_then(|digits| digits.parse::<u64>().ok())
        };
        let shown = |value: Option<u64>| value.map_or("–".to_owned(), |value| value.to_string());
        let (first, last) = (
            lines().find(|line| line.contains("INITED")),
            lines().next_back(),
        );
        let (before, after) = (value(first, " cov: "), value(last, " cov: "));
        let executed = statistic("stat::number_of_executed_units");
        let executed = match executed.parse::<u64>() {
            Ok(_) => executed,
            // A target that found something says no statistics.
            Err(_) => shown(value(last, "#")),
        };
        Self([
            executed,
            shown(value(last, "exec/s: ")),
            shown(after),
            shown(
                after
                    .zip(before)
                    .map(|(after, before)| after.saturating_sub(before)),
            ),
            shown(value(first, "rss: ")),
            shown(value(last, "rss: ")),
            statistic("stat::peak_rss_mb"),
        ])
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widths = [12, 9, 8, 8, 10, 10, 10];
        self.0
            .iter()
            .zip(widths)
            .try_for_each(|(figure, width)| write!(f, "{figure:>width$}"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(file_failure(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn file_failure(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    let path = path.to_path_buf();
    move |source| Failure::File {
        path: path.clone(),
        source,
    }
}

/// A minute of mutations for every target, side by side, by the binaries that the tests were built into.
pub(crate) fn minute() -> Result<(), Failure> {
    let mut running = Vec::new();
    for (name, program, folder) in test_binaries()? {
        let mut command = Command::new(&program);
        command
            // However few cores there are: all of them in the same minute.
            .args(["fuzz::", "--nocapture", "--test-threads=8"])
            .current_dir(folder)
            .env("FUZZ_SECONDS", MINUTE)
            .env("HARNESS_SLOW_TESTS", "1");
        let child = command.spawn().map_err(|source| Failure::Start {
            program: name.clone(),
            source,
        })?;
        running.push((name, child));
    }
    println!(
        "\n=== fuzzing: {MINUTE} s each, {} binaries side by side",
        running.len()
    );
    for (name, mut child) in running {
        let status = child.wait().map_err(|source| Failure::Start {
            program: name.clone(),
            source,
        })?;
        if !status.success() {
            return Err(Failure::Step {
                step: format!("fuzzing ({name})"),
                status: status.to_string(),
            });
        }
    }
    Ok(())
}

/// Name, file and folder of the test binaries that hold fuzz targets.
fn test_binaries() -> Result<Vec<(String, PathBuf, PathBuf)>, Failure> {
    let mut cargo = step::cargo(&["test", "--workspace", "--no-run", "--message-format=json"]);
    let built = cargo
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Failure::Start {
            program: "cargo".to_owned(),
            source,
        })?;
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let wanted = |message: Value| {
        let text = |pointer: &str| message.pointer(pointer)?.as_str().map(str::to_owned);
        let (name, kind) = (text("/target/name")?, text("/target/kind/0")?);
        let manifest = PathBuf::from(text("/manifest_path")?);
        let folder = manifest.parent()?.to_path_buf();
        let holds = match &*kind {
            "lib" => ["harness", "reference_server", "fault_proxy"].contains(&&*name),
            "test" => folder.ends_with("fault-proxy"),
            _ => false,
        };
        let program = PathBuf::from(text("/executable")?);
        holds.then_some((name, program, folder))
    };
    let parsed = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(parsed.filter_map(wanted).collect())
}
