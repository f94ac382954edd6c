//! This module is `cargo xtask demo`: 2,000 clients, a Redis outage, a report.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::Failure;
use crate::{redis, step};

const SCENARIO: &str = "scenarios/redis-outage.toml";

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    build_release()?;
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    let out = PathBuf::from("reports").join(format!("demo-{seconds}"));
    let mut harness = Command::new(step::target("release").join("harness"));
    harness
        .args(["run", SCENARIO, "--out"])
        .arg(&out)
        .env("REDIS_SERVER", redis)
        .current_dir(step::root());
    let ended = step::status("harness run scenarios/redis-outage.toml", &mut harness)?;
    let page = step::root().join(&out).join("report.html");
    if page.is_file() {
        println!("\nopen {} in a browser", page.display());
    }
    let code = ended
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Builds both binaries as users run them.
pub(crate) fn build_release() -> Result<(), Failure> {
    let mut build = step::cargo(&[
        "build",
        "--release",
        "-p",
        "harness",
        "-p",
        "reference-server",
    ]);
    step::run("build, release", &mut build)
}
