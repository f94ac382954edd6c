//! Tells the harness which commit it was built from, and of which day that is, where git knows.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../.git/HEAD");
    println!("cargo:rerun-if-changed=../.git/refs/heads");
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=9"])
        .output();
    let commit = described.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let commit = commit.unwrap_or_default();
    let dated = Command::new("git")
        .args(["show", "--no-patch", "--format=%cs", "HEAD"])
        .output();
    let date = dated.ok().filter(|output| output.status.success());
    let date = date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let version = env!("CARGO_PKG_VERSION");
    let version = match date.filter(|_| !commit.is_empty()) {
        Some(date) => format!("{version} ({commit} {date})"),
        None => version.to_owned(),
    };
    println!("cargo:rustc-env=HARNESS_COMMIT={commit}");
    println!("cargo:rustc-env=HARNESS_VERSION={version}");
}
