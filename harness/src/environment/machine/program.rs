//! This module finds the programs a run starts, and says how to get one that is missing.
//!
//! **In:** `PATH`, `REDIS_SERVER`, `HARNESS_SERVER`, `--server`. **Out:** paths of executable
//! files.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::ProgramError;

const REDIS_NAMES: [&str; 2] = ["redis-server", "valkey-server"];
const SERVER_NAME: &str = "reference-server";
const ANY_EXECUTE: u32 = 0o111;

/// Package managers, in the order of trying, with the command that installs Redis or Valkey.
const INSTALL: [(&str, &str); 6] = [
    ("apt-get", "sudo apt-get install redis-server"),
    ("dnf", "sudo dnf install valkey"),
    ("apk", "sudo apk add redis"),
    ("pacman", "sudo pacman -S valkey"),
    ("zypper", "sudo zypper install redis"),
    ("brew", "brew install redis"),
];

/// The Redis to start: `REDIS_SERVER`, else `redis-server` or `valkey-server` in `PATH`.
pub(crate) fn redis() -> Result<PathBuf, ProgramError> {
    redis_in(
        env::var_os("REDIS_SERVER").map(PathBuf::from),
        &search_path(),
    )
}

fn redis_in(named: Option<PathBuf>, path: &[PathBuf]) -> Result<PathBuf, ProgramError> {
    if let Some(named) = named {
        return executable("REDIS_SERVER", named);
    }
    REDIS_NAMES
        .iter()
        .find_map(|name| find(name, path))
        .ok_or_else(|| ProgramError::RedisMissing {
            install: install_command(path),
        })
}

/// The server to start: `--server`, else beside this program, else `HARNESS_SERVER`.
pub(crate) fn server(flag: Option<&Path>) -> Result<PathBuf, ProgramError> {
    if let Some(path) = flag {
        return executable("--server", path.to_owned());
    }
    let beside = env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(SERVER_NAME)));
    if let Some(path) = beside.clone().filter(|path| is_executable(path)) {
        return Ok(path);
    }
    if let Some(path) = env::var_os("HARNESS_SERVER") {
        return executable("HARNESS_SERVER", PathBuf::from(path));
    }
    let beside = beside.map_or_else(String::new, |path| format!("{}, ", path.display()));
    Err(ProgramError::ServerMissing {
        looked_at: format!("{beside}--server and HARNESS_SERVER"),
    })
}

fn executable(origin: &'static str, path: PathBuf) -> Result<PathBuf, ProgramError> {
    // A child must find it from anywhere.
    let absolute = std::path::absolute(&path).unwrap_or(path);
    if is_executable(&absolute) {
        Ok(absolute)
    } else {
        Err(ProgramError::NotExecutable {
            origin,
            path: absolute,
        })
    }
}

fn install_command(path: &[PathBuf]) -> String {
    INSTALL
        .iter()
        .find(|(manager, _)| find(manager, path).is_some())
        .map_or_else(
            || "your system's package manager: redis or valkey".to_owned(),
            |(_, command)| (*command).to_owned(),
        )
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default()
}

fn find(name: &str, path: &[PathBuf]) -> Option<PathBuf> {
    let mut candidates = path.iter().map(|directory| directory.join(name));
    candidates.find(|file| is_executable(file))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & ANY_EXECUTE != 0)
}

#[cfg(test)]
mod tests {
    use miette::Diagnostic as _;

    use super::*;

    fn directory_with(programs: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().unwrap();
        for program in programs {
            let file = directory.path().join(program);
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = vec![directory.path().to_owned()];
        (directory, path)
    }

    #[track_caller]
    fn check_install(manager: &str, command: &str) {
        let (_directory, path) = directory_with(&[manager]);
        let hint = redis_in(None, &path)
            .unwrap_err()
            .help()
            .unwrap()
            .to_string();
        assert!(hint.contains(command), "{hint}");
        assert!(hint.contains("REDIS_SERVER="), "{hint}");
    }

    #[test]
    fn a_missing_redis_is_answered_with_the_command_of_this_system() {
        check_install("apt-get", "sudo apt-get install redis-server");
        check_install("apk", "sudo apk add redis");
        check_install("pacman", "sudo pacman -S valkey");
    }

    #[test]
    fn valkey_stands_in_for_redis() {
        let (_directory, path) = directory_with(&["valkey-server"]);
        assert!(redis_in(None, &path).unwrap().ends_with("valkey-server"));
    }

    #[test]
    fn a_named_redis_that_cannot_be_run_is_refused_and_not_replaced() {
        let (directory, path) = directory_with(&["redis-server"]);
        let named = directory.path().join("nothing-here");
        assert!(matches!(
            redis_in(Some(named), &path),
            Err(ProgramError::NotExecutable {
                origin: "REDIS_SERVER",
                ..
            })
        ));
    }
}
