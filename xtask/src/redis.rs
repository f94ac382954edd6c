//! This module finds `redis-server`, or installs it by the system's package manager.
//!
//! **Out:** the binary's path. `REDIS_SERVER` wins over everything, then `redis-server` and
//! `valkey-server` on the search path. Installing needs root; without it the command to type is
//! part of the error.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::step;

const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// A package manager: its program, what refreshes its lists, what installs Redis.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    install: &'static [&'static str],
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: &["update", "-q"],
        install: &[
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "redis-server",
        ],
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y", "redis"],
    },
    Manager {
        program: "apk",
        refresh: &[],
        install: &["add", "redis"],
    },
    Manager {
        program: "pacman",
        refresh: &[],
        install: &["-S", "--noconfirm", "redis"],
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["install", "-y", "redis"],
    },
];

/// The binary, installed first where it is missing.
pub(crate) fn ensure() -> Result<PathBuf, Failure> {
    if let Some(given) = std::env::var_os("REDIS_SERVER") {
        return Ok(PathBuf::from(given));
    }
    if let Some(found) = installed() {
        return Ok(found);
    }
    let Some(manager) = MANAGERS
        .iter()
        .find(|manager| on_path(manager.program).is_some())
    else {
        return Err(Failure::NoRedis {
            why: "no package manager known here was found".to_owned(),
            command: "install the package `redis` or `valkey`".to_owned(),
        });
    };
    let missing = |why: &str| Failure::NoRedis {
        why: why.to_owned(),
        command: format!("sudo {} {}", manager.program, manager.install.join(" ")),
    };
    if !is_root() {
        return Err(missing("installing it needs root"));
    }
    println!(
        "redis-server is missing; installing it with {}",
        manager.program
    );
    if !manager.refresh.is_empty() {
        step::run(
            "refresh package lists",
            &mut quiet(manager, manager.refresh),
        )?;
    }
    step::run("install Redis", &mut quiet(manager, manager.install))?;
    installed().ok_or_else(|| missing("the package manager did not bring it"))
}

/// The package manager without questions, and without starting a Redis of the system's own.
fn quiet(manager: &Manager, arguments: &[&str]) -> Command {
    let mut command = Command::new(manager.program);
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    command
}

fn installed() -> Option<PathBuf> {
    NAMES.into_iter().find_map(on_path)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let search = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&search).map(|folder| folder.join(program));
    places.find(|path| Path::is_file(path))
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|rest| rest.split_whitespace().nth(1)) == Some("0")
}
