//! This module is `cargo xtask test`: everything continuous integration runs.
//!
//! Slow tests are on (`HARNESS_SLOW_TESTS=1`) and are given the server binary by path, so that none
//! is skipped for want of it. They use the release binaries, as users do. Last comes the crate outside
//! the workspace.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::{demo, interop, matrix, nginx, redis, step};

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let redis = redis::ensure()?;
    let nginx = nginx::ensure()?;
    step::run("formatting", &mut step::cargo(&["fmt", "--all", "--check"]))?;
    step::run("lints", &mut step::cargo(&["lint"]))?;
    demo::build_release()?;
    let release = step::target("release");
    let mut tests = step::cargo(&["test", "--workspace"]);
    tests
        .env("HARNESS_SLOW_TESTS", "1")
        .env("HARNESS_BINARY", release.join("harness"))
        .env("HARNESS_SERVER", release.join("reference-server"))
        .env("REDIS_SERVER", &redis)
        .envs(nginx.as_ref().map(|nginx| ("NGINX", nginx)));
    step::run("tests", &mut tests)?;
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
    if interop::test()? {
        println!("\nall of it passed");
    } else {
        println!("\nall that was run passed");
        interop::say_skipped();
    }
    Ok(ExitCode::SUCCESS)
}
