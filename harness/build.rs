//! Tells the harness which commit it was built from, and of which day that is: git knows, or `HARNESS_COMMIT` where there is no git.

use std::process::Command;

/// What a command of git says; empty where there is none, or no repository.
fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

fn main() {
    println!("cargo:rerun-if-changed=../.git/HEAD");
    println!("cargo:rerun-if-changed=../.git/refs/heads");
    println!("cargo:rerun-if-env-changed=HARNESS_COMMIT");
    let given = std::env::var("HARNESS_COMMIT").unwrap_or_default();
    let (commit, date) = if given.is_empty() {
        (
            git(&["describe", "--always", "--dirty", "--abbrev=9"]),
            git(&["show", "--no-patch", "--format=%cs", "HEAD"]),
        )
    } else {
        (given, String::new())
    };
    let version = env!("CARGO_PKG_VERSION");
    let version = match (commit.as_str(), date.as_str()) {
        ("", _) => version.to_owned(),
        (commit, "") => format!("{version} ({commit})"),
        (commit, date) => format!("{version} ({commit} {date})"),
    };
    println!("cargo:rustc-env=HARNESS_COMMIT={commit}");
    println!("cargo:rustc-env=HARNESS_VERSION={version}");
}
