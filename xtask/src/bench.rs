//! This module is `cargo xtask bench`: what harness, fault proxy and server cost, beside their budgets.
//!
//! The parts of engine, fault proxy and server are benchmarks of their crates, `engine`, `overhead` and `cost`, which say
//! how they measure. That of the gate is arithmetic on synthetic runs (`harness/src/gate/bench.rs`) and no
//! matter of speed: it fails when a promise is not kept. So does that of `harness capacity`, which searches for limits that
//! are known beforehand (`harness/tests/it/truth.rs`); it is done only when it is asked for. So is `accuracy`, a benchmark of
//! the harness: it holds the percentiles that are reported against the exact record of a target with known laws. So is `fleet`,
//! which adds up a thousand parts of a load, and starts 200 of them together.
//!
//! **Method.** Costs of the harness are differences between runs, so that what is the same in both
//! drops out: processor time per message is what a longer hold costs more (same clients, same ramp);
//! memory per client is what more clients cost more. Lateness is as the harness measures it. One
//! machine runs generator, server and Redis, so figures are upper bounds; repeat with `--repeat` and
//! compare medians.
//!
//! **Units:** µs of processor time per message (seven frames and everything recorded), KiB of
//! anonymous memory per further client, sessions (login, token, TCP, upgrade, `connected`) per
//! second of processor time, µs of lateness; what a mapping costs as a ratio within one round.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::failure::Failure;
use crate::{demo, redis, step};

const TALK: &str = "scenarios/bench-talk.toml";
/// The test that holds the gate to its promises and prints what it saw.
const GATE: &str = "gate::bench::the_gate_keeps_its_promises_on_synthetic_runs";
/// The test that fits the scalability law to synthetic probes, and those that search for limits that are known.
const LAW: &str = "usl::bench";
const TRUTHS: &str = "truth::";
/// The contract once more, as any server is mapped: a header that nobody reads keeps it from being known again.
const MAPPING: [&str; 2] = ["target.protocol=contract", "target.headers.X-Bench=yes"];
const IDLE: &str = "scenarios/bench-idle.toml";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Measure one of them
    #[arg(value_enum, conflicts_with = "only")]
    subject: Option<Subject>,
    /// The same, as an option
    #[arg(long, value_enum)]
    only: Option<Subject>,
    /// Clients of the small and of the large run of harness and engine
    #[arg(long, num_args = 2, default_values_t = [2_000, 9_000], value_names = ["SMALL", "LARGE"])]
    clients: Vec<u32>,
    /// Runs of the harness of each kind; the median is shown
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Runs of a kind of `accuracy`, at most, until the harness calls one valid
    #[arg(long, default_value_t = 1)]
    tries: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    Harness,
    /// The load engine beside a client written by hand and beside plain TCP, against a target that does next to nothing
    Engine,
    Proxy,
    Server,
    /// What `harness gate` promises: false alarms, regressions found, coverage; on runs whose truth is known
    Gate,
    /// What `harness capacity` finds of limits that are known beforehand; 20 to 40 minutes
    Capacity,
    /// Whether the percentiles that are reported are those that were served; 13 minutes
    Accuracy,
    /// What a thousand parts of a load cost the run that adds them up, and how far apart 200 of them begin; five minutes
    Fleet,
}

/// One figure beside its budget.
struct Figure {
    name: String,
    unit: &'static str,
    seen: Vec<f64>,
    target: &'static str,
    reject: &'static str,
}

impl Figure {
    fn median(&self) -> f64 {
        let mut sorted = self.seen.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let one = arguments.subject.or(arguments.only);
    let wanted = |subject: Subject| one.is_none_or(|only| only == subject);
    if wanted(Subject::Gate) {
        let mut promises = step::cargo(&["test", "-p", "harness", "--lib", "--"]);
        promises.args(["--ignored", "--nocapture", "--exact", GATE]);
        step::run("promises of the gate", &mut promises)?;
    }
    // Too long to be meant by who names nothing.
    if one == Some(Subject::Capacity) {
        let mut law = step::cargo(&["test", "-p", "harness", "--lib", "--"]);
        law.args(["--ignored", "--nocapture", LAW]);
        step::run("intervals of the scalability law", &mut law)?;
        let mut build = step::cargo(&["build", "-p", "harness", "-p", "reference-server"]);
        step::run("build", &mut build)?;
        let mut truths = step::cargo(&["test", "-p", "harness", "--test", "it", "--"]);
        truths
            .args(["--ignored", "--nocapture", "--test-threads", "1", TRUTHS])
            .env(
                "HARNESS_SERVER",
                step::target("debug").join("reference-server"),
            )
            .env("REDIS_SERVER", redis::ensure()?);
        step::run("known limits, found", &mut truths)?;
    }
    if one == Some(Subject::Accuracy) {
        accuracy(arguments)?;
    }
    if one == Some(Subject::Fleet) {
        let mut bench = of_the_harness("fleet")?;
        bench.env("REDIS_SERVER", redis::ensure()?);
        step::run("many parts of a load", &mut bench)?;
    }
    if wanted(Subject::Harness) {
        harness(arguments)?;
    }
    if wanted(Subject::Engine) {
        engine(arguments)?;
    }
    if wanted(Subject::Server) {
        let mut cost = step::cargo(&["bench", "-p", "reference-server", "--bench", "cost"]);
        cost.env("REDIS_SERVER", redis::ensure()?);
        step::run("cost of the reference server", &mut cost)?;
    }
    if wanted(Subject::Proxy) {
        demo::build_release()?;
        let mut overhead = step::cargo(&["bench", "-p", "fault-proxy", "--bench", "overhead"]);
        overhead.env("HARNESS_BINARY", step::target("release").join("harness"));
        step::run("overhead of the fault proxy", &mut overhead)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn engine(arguments: &Arguments) -> Result<(), Failure> {
    let clients: Vec<String> = arguments.clients.iter().map(u32::to_string).collect();
    let mut bench = of_the_harness("engine")?;
    bench.args(["--clients", &clients.join(",")]);
    step::run("cost of the load engine", &mut bench)
}

fn accuracy(arguments: &Arguments) -> Result<(), Failure> {
    let mut bench = of_the_harness("accuracy")?;
    bench.args(["--tries", &arguments.tries.to_string()]);
    step::run("percentiles beside the target's record", &mut bench)
}

/// A benchmark of the harness's crate, which writes its figures to `reports/bench/NAME.json` too.
fn of_the_harness(name: &str) -> Result<Command, Failure> {
    demo::build_release()?;
    let folder = step::root().join("reports").join("bench");
    std::fs::create_dir_all(&folder).map_err(|source| Failure::File {
        path: folder.clone(),
        source,
    })?;
    let mut bench = step::cargo(&["bench", "-p", "harness", "--bench", name, "--", "--json"]);
    bench
        .arg(folder.join(format!("{name}.json")))
        .env("HARNESS_BINARY", step::target("release").join("harness"));
    Ok(bench)
}

fn harness(arguments: &Arguments) -> Result<(), Failure> {
    let redis = redis::ensure()?;
    demo::build_release()?;
    let bench = Bench {
        redis,
        folder: step::root().join("reports").join("bench"),
    };
    let (small, large) = match arguments.clients[..] {
        [small, large] if small < large => (small, large),
        _ => {
            return Err(Failure::Step {
                step: "--clients".to_owned(),
                status: "the first number must be below the second".to_owned(),
            });
        }
    };
    let mut figures = figures(small, large);
    for round in 0..arguments.repeat.max(1) {
        for (figure, value) in figures.iter_mut().zip(bench.round(round, small, large)?) {
            figure.seen.push(value);
        }
    }
    println!(
        "\n{:<44} {:>12} {:>12} {:>12}",
        "", "seen", "target", "reject"
    );
    for figure in &figures {
        let seen = format!("{:.1} {}", figure.median(), figure.unit);
        println!(
            "{:<44} {seen:>12} {:>12} {:>12}",
            figure.name, figure.target, figure.reject
        );
    }
    Ok(())
}

fn figures(small: u32, large: u32) -> Vec<Figure> {
    let figure = |name: String, unit, target, reject| Figure {
        name,
        unit,
        seen: Vec::new(),
        target,
        reject,
    };
    vec![
        figure(
            format!("processor time per message, {small} clients"),
            "µs",
            "≤ 28",
            "> 40",
        ),
        figure(
            format!("processor time per message, {large} clients"),
            "µs",
            "≤ 20",
            "> 40",
        ),
        figure(
            format!("memory per further client, {small} to {large}"),
            "KiB",
            "≤ 10",
            "> 16",
        ),
        figure(
            "sessions opened per core-second".to_owned(),
            "",
            "≥ 8000",
            "< 4000",
        ),
        figure(
            format!("the same wire by a mapping, {small} clients"),
            "×",
            "≤ 1.03",
            "> 1.1",
        ),
        figure(
            format!("lateness p50, {large} clients"),
            "µs",
            "≤ 20",
            "> 200",
        ),
        figure(format!("lateness p99, {large} clients"), "µs", "≤ 100", "–"),
    ]
}

struct Bench {
    redis: PathBuf,
    folder: PathBuf,
}

impl Bench {
    /// One value per figure, in the order of [`figures`].
    fn round(&self, round: u32, small: u32, large: u32) -> Result<Vec<f64>, Failure> {
        let talk = |clients: u32, duration: &str| {
            let name = format!("{round}-talk-{clients}-{duration}");
            self.one(&name, TALK, clients, &["--duration", duration])
        };
        let mapped = |duration: &str| {
            let name = format!("{round}-mapped-{small}-{duration}");
            let mapping = MAPPING.iter().flat_map(|key| ["--set", key]);
            let flags: Vec<&str> = ["--duration", duration]
                .into_iter()
                .chain(mapping)
                .collect();
            self.one(&name, TALK, small, &flags)
        };
        let per_message = |short: &Value, long: &Value| {
            let cpu_us = (cpu_seconds(long) - cpu_seconds(short)) * 1e6;
            cpu_us / (completed(long) - completed(short))
        };
        let (small_short, small_long) = (talk(small, "20s")?, talk(small, "40s")?);
        let (mapped_short, mapped_long) = (mapped("20s")?, mapped("40s")?);
        let (large_short, large_long) = (talk(large, "20s")?, talk(large, "40s")?);
        let idle_small = self.one(&format!("{round}-idle-{small}"), IDLE, small, &[])?;
        let idle_large = self.one(&format!("{round}-idle-{large}"), IDLE, large, &[])?;
        let further = f64::from(large - small);
        let memory = number(&idle_large, "/generator/rss_peak_bytes")
            - number(&idle_small, "/generator/rss_peak_bytes");
        let opening = cpu_seconds(&idle_large) - cpu_seconds(&idle_small);
        let small_us = per_message(&small_short, &small_long);
        Ok(vec![
            small_us,
            per_message(&large_short, &large_long),
            memory / 1_024.0 / further,
            further / opening,
            per_message(&mapped_short, &mapped_long) / small_us,
            number(&large_long, "/lateness/p50_us"),
            number(&large_long, "/lateness/p99_us"),
        ])
    }

    fn one(
        &self,
        name: &str,
        scenario: &str,
        clients: u32,
        flags: &[&str],
    ) -> Result<Value, Failure> {
        let out = self.folder.join(name);
        if out.exists() {
            std::fs::remove_dir_all(&out).map_err(|source| Failure::File {
                path: out.clone(),
                source,
            })?;
        }
        let mut harness = Command::new(step::target("release").join("harness"));
        harness
            .args(["run", scenario, "--quiet", "--clients"])
            .arg(clients.to_string())
            .args(flags)
            .arg("--out")
            .arg(&out)
            .env("REDIS_SERVER", &self.redis)
            .current_dir(step::root());
        let what = format!("{scenario}, {clients} clients {}", flags.join(" "));
        step::status(&what, &mut harness)?;
        read(&out.join("result.json"))
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_path_buf(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| Failure::Result {
        path: path.to_path_buf(),
        what: error.to_string(),
    })
}

fn number(result: &Value, pointer: &str) -> f64 {
    result
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}

fn cpu_seconds(result: &Value) -> f64 {
    number(result, "/generator/cpu_seconds")
}

fn completed(result: &Value) -> f64 {
    number(result, "/delivery/completed")
}
