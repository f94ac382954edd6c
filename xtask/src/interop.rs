//! This module holds the fault proxy against a client somebody else wrote, where it can be built.
//!
//! **Out:** whether it ran. The client, `toxiproxy_rust`, links OpenSSL, whose headers a machine may
//! not have; what is skipped is said twice, so that it is not overlooked.

use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::step;

const MANIFEST: &str = "fault-proxy/interop/Cargo.toml";

/// Formatting, lints and tests of the crate outside the workspace; `false` if they were skipped.
pub(crate) fn test() -> Result<bool, Failure> {
    if !has_openssl() {
        say_skipped();
        return Ok(false);
    }
    // In a folder of its own: other versions and features of the same crates.
    let target = step::target("interop");
    let run = |what: &str, arguments: &[&str], rest: &[&str]| {
        let mut cargo = step::cargo(arguments);
        cargo
            .args(["--locked", "--manifest-path", MANIFEST, "--target-dir"])
            .arg(&target)
            .args(rest);
        step::run(&format!("interoperability: {what}"), &mut cargo)
    };
    let mut format = step::cargo(&["fmt", "--check", "--manifest-path", MANIFEST]);
    step::run("interoperability: formatting", &mut format)?;
    run(
        "lints",
        &["clippy", "--all-targets"],
        &["--", "--deny", "warnings"],
    )?;
    run("tests", &["test"], &[])?;
    Ok(true)
}

/// To be read by whoever runs the tests.
pub(crate) fn say_skipped() {
    let bar = "!".repeat(80);
    println!(
        "\n{bar}\n\
         !! SKIPPED: the fault proxy against toxiproxy_rust (fault-proxy/interop)\n\
         !! It needs the headers of OpenSSL, and `pkg-config --exists openssl` says no.\n\
         !! Install them: apt-get install libssl-dev pkg-config\n\
         {bar}"
    );
}

fn has_openssl() -> bool {
    let asked = Command::new("pkg-config")
        .args(["--exists", "openssl"])
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}
