//! Tells the harness which commit it was built from, where git knows.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../.git/HEAD");
    println!("cargo:rerun-if-changed=../.git/refs/heads");
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=9"])
        .output();
    let commit = described.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!(
        "cargo:rustc-env=HARNESS_COMMIT={}",
        commit.unwrap_or_default()
    );
}
