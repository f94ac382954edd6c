//! This module drives one server: a healthy run, a bad network, an outage of its Redis.
//!
//! **In:** a [`Server`]. **Out:** a [`Row`]: what was sent, taken, answered and heard in each run, and what does not hold.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::browser::Browser;
use super::server::{PASSWORD, Server};
use super::stand::{LINK, PASSED_ON, Redis, harness};
use crate::failure::Failure;
use crate::step;

/// The kind of a run that is made of a browser's recording.
const IMPORTED: &str = "imported";
/// Length of a load with faults in it.
const FAULTY: &str = "30s";
/// What became of a server.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) packages: String,
    pub(super) runs: Vec<Run>,
    /// The rows of the table, where it was audited: see [`super::audit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audit: Option<Value>,
    /// What does not hold; empty where all does.
    pub(super) problems: Vec<String>,
}

/// One run, by the harness and by the server.
#[derive(Serialize)]
pub(super) struct Run {
    /// `healthy`, `edge`, `redis`, `imported`
    pub(super) kind: &'static str,
    pub(super) verdict: String,
    pub(super) sentence: String,
    /// Messages that the harness wrote, with those that it sent again.
    pub(super) attempts: u64,
    pub(super) completed: u64,
    pub(super) lost: u64,
    pub(super) unanswered: u64,
    pub(super) duplicated: u64,
    pub(super) unexpected: u64,
    pub(super) failed_clients: u64,
    /// Frames that the harness heard.
    pub(super) heard: u64,
    /// What the server counted: `taken` messages, `said` frames to members, and what else it names.
    pub(super) server: Value,
    /// Each fault, and how long until answers were in tolerance again, in microseconds.
    pub(super) faults: Vec<(String, Option<u64>)>,
    /// What went wrong for clients, by label.
    pub(super) errors: Value,
}

pub(super) fn drive(server: &Server, redis: &Path, browser: Option<&Browser>) -> Row {
    let mut row = Row {
        name: server.name,
        what: server.what,
        packages: server.packages(),
        runs: Vec::new(),
        audit: None,
        problems: Vec::new(),
    };
    if let Err(failure) = server.install() {
        row.problems.push(format!("not installed: {failure}"));
        return row;
    }
    let mut kinds = vec!["healthy", "edge"];
    kinds.extend(server.has_redis.then_some("redis"));
    kinds.extend(browser.and(Browser::page(server)).map(|_| IMPORTED));
    for kind in kinds {
        match once(server, kind, (redis, browser)) {
            Ok(run) => {
                let problems = wrong(&run);
                row.problems
                    .extend(problems.map(|problem| format!("{kind}: {problem}")));
                row.runs.push(run);
            }
            Err(failure) => row.problems.push(format!("{kind}: {failure}")),
        }
    }
    for problem in &row.problems {
        println!("{}: {problem}", server.name);
    }
    row
}

/// What does not hold of a run.
fn wrong(run: &Run) -> impl Iterator<Item = String> {
    let healthy = run.kind == "healthy";
    let whole = healthy || run.kind == IMPORTED;
    let counted = |key: &str| run.server.get(key).and_then(Value::as_u64);
    let taken = counted("taken").unwrap_or(0);
    let framed = counted("frames").unwrap_or(run.heard);
    let lasting = run
        .faults
        .iter()
        .filter(|(_, recovery_us)| recovery_us.is_none());
    let lasting: Vec<&str> = lasting.map(|(name, _)| name.as_str()).collect();
    let checks = [
        (
            run.verdict == "invalid",
            format!("not to be believed: {}", run.sentence),
        ),
        (whole && run.verdict != "pass", run.sentence.clone()),
        (run.completed == 0, "nothing was answered".to_owned()),
        (
            run.unexpected > 0,
            format!("{} frames unexpected", run.unexpected),
        ),
        (
            run.failed_clients > 0,
            format!("{} clients gave up", run.failed_clients),
        ),
        (
            healthy && taken != run.attempts,
            format!(
                "the server took {taken} messages, the harness sent {}",
                run.attempts
            ),
        ),
        (
            healthy && framed != run.heard,
            format!(
                "the server wrote {framed} frames, the harness heard {}",
                run.heard
            ),
        ),
        (
            !lasting.is_empty(),
            format!("not back after {}", lasting.join(", ")),
        ),
        // What is cut on its way was sent and never taken; more than was sent is taken by nobody.
        (
            // A browser was there before.
            taken > run.attempts && run.kind != IMPORTED,
            format!(
                "the server took {taken} messages, the harness sent only {}",
                run.attempts
            ),
        ),
    ];
    checks
        .into_iter()
        .filter_map(|(is_wrong, what)| is_wrong.then_some(what))
}

fn once(
    server: &Server,
    kind: &'static str,
    (redis, browser): (&Path, Option<&Browser>),
) -> Result<Run, Failure> {
    let folder = server.folder();
    let stands = server
        .has_redis
        .then(|| Redis::start(redis, &folder))
        .transpose()?;
    let redis_url = stands
        .as_ref()
        .map_or_else(String::new, |redis| redis.url.clone());
    let running = server.start(&redis_url)?;
    let page = Browser::page(server).filter(|_| kind == IMPORTED);
    let scenario = match (browser, page) {
        (Some(browser), Some(page)) => browser.scenario(server, &page, running.port)?,
        _ => written(&folder, kind)?,
    };
    let out = folder.join("out").join(kind);
    drop(fs::remove_dir_all(&out));
    let mut harness = harness();
    harness
        .arg("run")
        .arg(&scenario)
        .args(["--target", &format!("ws://127.0.0.1:{}", running.port)])
        .args(["--seed", "1", "--quiet", "--out"])
        .arg(&out)
        .env(PASSED_ON, PASSWORD)
        .current_dir(&folder);
    match (kind, &stands) {
        ("edge", _) => {
            harness.args([
                "--duration",
                FAULTY,
                "--set",
                "environment.proxies=[\"edge\"]",
            ]);
        }
        ("redis", Some(stands)) => {
            harness.args(["--duration", FAULTY, "--toxiproxy", &stands.api]);
            harness.args(["--set", &format!("environment.links.redis={LINK}")]);
        }
        _ => {}
    }
    step::status(
        &format!("{kind}: harness run against {}", server.name),
        &mut harness,
    )?;
    let counted = running.stop()?;
    let result = read(&out.join("result.json"))?;
    let result: Value = serde_json::from_str(&result).unwrap_or_default();
    Ok(run(kind, &result, counted))
}

/// The scenario of the server, with the faults of that kind of run.
fn written(folder: &Path, kind: &str) -> Result<PathBuf, Failure> {
    let scenario = folder.join(format!("{kind}-run.toml"));
    let more = match kind {
        "healthy" => String::new(),
        kind => read(&step::root().join(format!("xtask/foreign/{kind}.toml")))?,
    };
    let text = read(&folder.join("scenario.toml"))? + &more;
    fs::write(&scenario, text).map_err(|source| Failure::File {
        path: scenario.clone(),
        source,
    })?;
    Ok(scenario)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_path_buf(),
        source,
    })
}

/// What a result and a server say of a run.
fn run(kind: &'static str, result: &Value, server: Value) -> Run {
    let at = |path: &str| result.pointer(path).cloned().unwrap_or_default();
    let number = |path: &str| at(path).as_u64().unwrap_or(0);
    let text = |path: &str| at(path).as_str().unwrap_or("no result").to_owned();
    let faults = at("/faults");
    let faults = faults.as_array().into_iter().flatten().map(|fault| {
        let name = fault
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let recovery_us = fault.get("recovery_us").and_then(Value::as_u64);
        (name.to_owned(), recovery_us)
    });
    Run {
        kind,
        verdict: text("/verdict/status"),
        sentence: text("/verdict/sentence"),
        attempts: number("/delivery/attempts"),
        completed: number("/delivery/completed"),
        lost: number("/delivery/lost"),
        unanswered: number("/delivery/unanswered"),
        duplicated: number("/delivery/duplicated"),
        unexpected: number("/delivery/unexpected"),
        failed_clients: number("/clients/failed"),
        heard: number("/generator/frames_received"),
        server,
        faults: faults.collect(),
        errors: at("/errors"),
    }
}
