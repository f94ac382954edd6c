//! This module runs one program, says what it is for, and how long it took.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use crate::failure::Failure;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo puts what it builds.
pub(crate) fn target(profile: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join(profile)
}

/// `cargo` as it called us, in the root folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Runs a program to its end, whatever that is.
pub(crate) fn status(what: &str, command: &mut Command) -> Result<ExitStatus, Failure> {
    println!("\n=== {what}");
    let start = Instant::now();
    let ended = command.status().map_err(|source| Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    println!(
        "=== {what}: {ended}, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(ended)
}

/// Runs a program that must succeed.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<(), Failure> {
    let ended = status(what, command)?;
    if ended.success() {
        return Ok(());
    }
    Err(Failure::Step {
        step: what.to_owned(),
        status: ended.to_string(),
    })
}
