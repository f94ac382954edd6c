//! This module is `cargo xtask test`: everything continuous integration runs.
//!
//! Slow tests, which are ignored elsewhere, run here and are given the server binary by path, so that none
//! is skipped for want of it. Everything runs what the tests built: a release build of the same would cost
//! more than all the rest. Then every fuzz target has a minute, and a small array of a real Slurm runs a load. Last comes the crate outside the workspace.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::{fuzz, interop, matrix, nginx, redis, slurm, step};

/// Tests that take minutes, or a machine that does nothing else: `cargo xtask soak` runs the first; the others compare
/// servers, and are run by name (`cargo test -p harness --test it -- --ignored NAME`).
const APART: [&str; 5] = [
    "promises::soak",
    "ab::three_milliseconds",
    "ab::a_pull_request",
    "truth::",
    "usl::bench",
];

/// Tests side by side, by libtest's flag. Most of them wait for a run that leaves the processors nearly idle.
const THREADS: &str = "--test-threads=3";

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    let nginx = nginx::ensure()?;
    step::run("formatting", &mut step::cargo(&["fmt", "--all", "--check"]))?;
    step::run("lints", &mut step::cargo(&["lint"]))?;
    let mut tests = step::cargo(&["test", "--workspace"]);
    tests
        .env("HARNESS_SLOW_TESTS", "1")
        .env(
            "HARNESS_SERVER",
            step::target("debug").join("reference-server"),
        )
        .env("REDIS_SERVER", &redis)
        .envs(nginx.as_ref().map(|nginx| ("NGINX", nginx)))
        // What takes minutes is a command of its own.
        .args(["--", "--include-ignored", THREADS])
        .args(APART.iter().flat_map(|test| ["--skip", test]));
    if nginx.is_none() {
        tests.args(["--skip", "nginx"]);
    }
    step::run("tests", &mut tests)?;
    fuzz::minute()?;
    let has_slurm = slurm::small(&redis)?;
    matrix::quick(redis, nginx)?;
    let mut documentation = step::cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    step::run(
        "documentation",
        documentation.env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    let has_openssl = interop::test()?;
    if has_openssl && has_slurm {
        println!("\nall of it passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nall that was run passed");
    if !has_openssl {
        interop::say_skipped();
    }
    if !has_slurm {
        slurm::say_skipped();
    }
    Ok(ExitCode::SUCCESS)
}
