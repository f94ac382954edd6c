//! This module is `cargo xtask ab`: the gate tried on this machine, with a truth that is known.
//!
//! The same server on both sides must never be called slower (by `smoke`, which is not made for gates), and one that does a tenth
//! more work for each message must be found (by `gate`, which is), within ten minutes each. Every gate leaves its runs and its answer in `target/ab/`; one that is there already is not done again, so that
//! the command can be ended and begun anew.
//!
//! **Out:** a table; exit code 0 where nothing failed that was done.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::{redis, step};

/// The code of `harness gate` for slower.
const SLOWER: i64 = 11;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Gates of the same server twice
    #[arg(long, default_value_t = 10)]
    same: u32,
    /// Gates of a server that is slowed
    #[arg(long, default_value_t = 5)]
    slow: u32,
    /// By so much
    #[arg(long, default_value = "10%")]
    share: String,
    /// Longest time of one gate
    #[arg(long, default_value = "10min")]
    budget: String,
    /// The profile by which harness and server are built
    #[arg(long, default_value = "release")]
    profile: String,
    /// Leave out what is no metric of this gate: as `harness ab --primary`
    #[arg(long, default_value = "relative cpu")]
    primary: String,
}

/// One gate and what it must say.
struct Gate {
    name: String,
    scenario: &'static str,
    flag: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    let mut build = step::cargo(&["build", "-p", "harness", "-p", "reference-server"]);
    step::run("build", build.args(["--profile", &arguments.profile]))?;
    let built = if arguments.profile == "dev" {
        "debug"
    } else {
        &arguments.profile
    };
    let built = step::target(built);
    let folder = step::target("ab");
    fs::create_dir_all(&folder).map_err(|source| Failure::File {
        path: folder.clone(),
        source,
    })?;
    let same = (1..=arguments.same).map(|number| Gate {
        name: format!("same-{number:02}"),
        scenario: "scenarios/smoke.toml",
        flag: None,
    });
    let slow = (1..=arguments.slow).map(|number| Gate {
        name: format!("slow-{}-{number:02}", arguments.share.trim_end_matches('%')),
        scenario: "scenarios/gate.toml",
        flag: Some(format!("slow-cpu={}", arguments.share)),
    });
    let (mut failed, mut lines) = (0_u8, Vec::new());
    for gate in same.chain(slow) {
        let out = folder.join(&gate.name);
        let answer = match answer(&out) {
            Some(answer) => answer,
            None => done(arguments, &gate, (&built, &out, &redis))?,
        };
        let code = answer["exit_code"].as_i64();
        let holds = if gate.flag.is_some() {
            code == Some(SLOWER)
        } else {
            code != Some(SLOWER)
        };
        failed = failed.saturating_add(u8::from(!holds));
        let word = if holds { "as it must" } else { "FAILED" };
        let pairs = answer["base"]["runs"].as_array().map_or(0, Vec::len);
        let (code, sentence) = (
            code.unwrap_or(-1),
            answer["sentence"].as_str().unwrap_or("no answer"),
        );
        lines.push(format!(
            "{:<12} {word:<11} exit {code:<3} {pairs:>3} pairs  {sentence}",
            gate.name
        ));
    }
    println!(
        "\n{}\n\nkept in {}; remove it to begin anew",
        lines.join("\n"),
        folder.display()
    );
    Ok(ExitCode::from(failed.min(1)))
}

/// What an earlier gate said; `None`: there is none, or it did not come to its end.
fn answer(out: &Path) -> Option<serde_json::Value> {
    let text = fs::read(out.join("gate").join("gate.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

fn done(
    arguments: &Arguments,
    gate: &Gate,
    (built, out, redis): (&Path, &PathBuf, &Path),
) -> Result<serde_json::Value, Failure> {
    if out.exists() {
        // Half of a gate: an interrupted one tells nothing.
        fs::remove_dir_all(out).map_err(|source| Failure::File {
            path: out.clone(),
            source,
        })?;
    }
    let server = built.join("reference-server");
    let mut command = std::process::Command::new(built.join("harness"));
    command
        .current_dir(step::root())
        .args(["ab", gate.scenario, "--budget", &arguments.budget]);
    command
        .args(["--primary", &arguments.primary, "--base"])
        .arg(&server);
    command.arg("--new").arg(&server).arg("--out").arg(out);
    if let Some(flag) = &gate.flag {
        command.args(["--new-flag", flag]);
    }
    // Whatever it says, it is in its file.
    step::status(&gate.name, command.env("REDIS_SERVER", redis))?;
    Ok(answer(out).unwrap_or_default())
}
