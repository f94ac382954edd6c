//! This module finds a program, or installs it by the system's package manager.
//!
//! **Out:** the program's path. Its variable wins over everything, then its names on the search path.
//! Installing needs root; without it the command to type is part of the error.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::step;

/// A program that other people package.
pub(crate) struct Program {
    /// What it is called, the usual name first.
    pub(crate) names: &'static [&'static str],
    /// The variable that names another one.
    pub(crate) variable: &'static str,
    /// The package it is in: Debian's name, and that of all others.
    pub(crate) packages: [&'static str; 2],
}

/// A package manager: its program, what refreshes its lists, what installs, and whose names it uses.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    install: &'static [&'static str],
    names: usize,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: &["update", "-q"],
        install: &["install", "-y", "-q", "--no-install-recommends"],
        names: 0,
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y"],
        names: 1,
    },
    Manager {
        program: "apk",
        refresh: &[],
        install: &["add"],
        names: 1,
    },
    Manager {
        program: "pacman",
        refresh: &[],
        install: &["-S", "--noconfirm"],
        names: 1,
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["install", "-y"],
        names: 1,
    },
];

impl Program {
    /// The program, installed first where it is missing.
    pub(crate) fn ensure(&self) -> Result<PathBuf, Failure> {
        if let Some(given) = std::env::var_os(self.variable) {
            return Ok(PathBuf::from(given));
        }
        if let Some(found) = self.installed() {
            return Ok(found);
        }
        let Some(manager) = MANAGERS
            .iter()
            .find(|manager| on_path(manager.program).is_some())
        else {
            let [_, package] = self.packages;
            return Err(self.missing(
                "no package manager known here was found",
                format!("install the package `{package}`"),
            ));
        };
        let package = self.packages[manager.names];
        let install = [manager.install, &[package]].concat();
        let by_hand = format!("run `sudo {} {}`", manager.program, install.join(" "));
        if !is_root() {
            return Err(self.missing("installing it needs root", by_hand));
        }
        println!(
            "{} is missing; installing it with {}",
            self.names[0], manager.program
        );
        if !manager.refresh.is_empty() {
            step::run(
                "refresh package lists",
                &mut quiet(manager, manager.refresh),
            )?;
        }
        step::run(&format!("install {package}"), &mut quiet(manager, &install))?;
        self.installed()
            .ok_or_else(|| self.missing("the package manager did not bring it", by_hand))
    }

    fn missing(&self, why: &str, remedy: String) -> Failure {
        Failure::Missing {
            programs: self.names,
            variable: self.variable,
            why: why.to_owned(),
            remedy,
        }
    }

    fn installed(&self) -> Option<PathBuf> {
        self.names.iter().find_map(|name| on_path(name))
    }
}

/// The package manager without questions, and without starting a service of the system's own.
fn quiet(manager: &Manager, arguments: &[&str]) -> Command {
    let mut command = Command::new(manager.program);
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    command
}

/// Where servers are too, which not everybody's search path has.
fn on_path(program: &str) -> Option<PathBuf> {
    let search = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&search).chain([PathBuf::from("/usr/sbin")]);
    let mut places = folders.map(|folder| folder.join(program));
    places.find(|path| Path::is_file(path))
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|rest| rest.split_whitespace().nth(1)) == Some("0")
}
