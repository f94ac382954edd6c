//! This module asks which of the known failures servers of other makes have: `harness audit`, a few servers side by side.
//!
//! **In:** servers that are installed. **Out:** for each, the rows of the table by verdict; those that broke with their proof.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Map, Value, json};

use super::server::{PASSWORD, Running, Server};
use super::stand::{PASSED_ON, Redis, harness};
use crate::failure::Failure;

/// Audits at once: they wait most of the time, and each has a server.
const SIDE_BY_SIDE: usize = 4;

/// One that is under way.
struct Audit {
    name: &'static str,
    out: PathBuf,
    child: Child,
    running: Running,
    /// Its server needs it until the end.
    _redis: Option<Redis>,
}

/// What was found, by server.
pub(super) fn all(servers: &[&Server], redis: &Path) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for some in servers.chunks(SIDE_BY_SIDE) {
        let begun: Vec<_> = some
            .iter()
            .map(|server| (server.name, begin(server, redis)))
            .collect();
        for (name, audit) in begun {
            let told = audit.and_then(end);
            let told = told.unwrap_or_else(|failure| json!({ "problem": failure.to_string() }));
            println!("audit of {name}: {}", line(&told));
            found.push((name, told));
        }
    }
    found
}

fn begin(server: &Server, redis: &Path) -> Result<Audit, Failure> {
    let folder = server.folder();
    let stands = server.has_redis.then(|| Redis::start(redis, &folder));
    let stands = stands.transpose()?;
    let running = server.start(stands.as_ref().map_or("", |redis| &redis.url))?;
    let out = folder.join("audit");
    drop(fs::remove_dir_all(&out));
    let mut command = harness();
    command
        .args(["audit", "scenario.toml", "--quiet", "--target"])
        .arg(format!("ws://127.0.0.1:{}", running.port))
        .arg("--out")
        .arg(&out)
        .env(PASSED_ON, PASSWORD)
        .current_dir(&folder)
        .stdout(Stdio::null());
    let child = command.spawn().map_err(|source| Failure::Start {
        program: "harness".to_owned(),
        source,
    })?;
    Ok(Audit {
        name: server.name,
        out,
        child,
        running,
        _redis: stands,
    })
}

fn end(mut audit: Audit) -> Result<Value, Failure> {
    let ended = audit.child.wait().map_err(|source| Failure::Start {
        program: audit.name.to_owned(),
        source,
    })?;
    let path = audit.out.join("audit.json");
    let text = fs::read_to_string(&path).map_err(|source| Failure::File {
        path: path.clone(),
        source,
    })?;
    let told: Value = serde_json::from_str(&text).unwrap_or_default();
    let rows = told["rows"].as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        return Err(Failure::Result {
            path,
            what: "it has no rows".to_owned(),
        });
    }
    let stopped = audit.running.stop();
    let mut by_verdict = Map::new();
    for verdict in ["broke", "held", "inconclusive", "untried"] {
        let mine = rows.iter().filter(|row| row["verdict"] == verdict);
        let mine: Map<String, Value> = mine
            .map(|row| (row["row"].to_string(), said(row)))
            .collect();
        by_verdict.insert(verdict.to_owned(), Value::Object(mine));
    }
    by_verdict.insert("exit_code".to_owned(), json!(ended.code()));
    if let Err(failure) = stopped {
        // What was found is found: the server may have been at its end.
        by_verdict.insert("server".to_owned(), json!(failure.to_string()));
    }
    Ok(Value::Object(by_verdict))
}

/// A row in a sentence.
fn said(row: &Value) -> Value {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    json!(format!("{}: {}", text("name"), text("proof")))
}

/// Numbers of rows, by verdict.
pub(super) fn line(told: &Value) -> String {
    if let Some(problem) = told["problem"].as_str() {
        return problem.to_owned();
    }
    let rows = |verdict: &str| {
        let rows = told[verdict].as_object().into_iter().flatten();
        let mut rows: Vec<u32> = rows.filter_map(|(row, _)| row.parse().ok()).collect();
        rows.sort_unstable();
        let rows: Vec<String> = rows.iter().map(u32::to_string).collect();
        format!("{verdict} {}", rows.join(" "))
    };
    ["broke", "held", "inconclusive"].map(rows).join(" | ")
}
